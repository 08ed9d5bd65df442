#!/bin/sh
# What must be true before Airflow's services start: roles, databases, tables of both, pools, the first user.
# Run by the service `migrate` of docker-compose.yml at every start and upgrade; running it again changes nothing
# but passwords that were changed in the environment.
set -eu
python -m patient_feedback.warehouse.cluster
python -m patient_feedback.warehouse.migrate
airflow db migrate
airflow pools import "$FEEDBACK_PROJECT_DIR/dags/pools.json"
if airflow users list --output plain | awk 'NR > 1 { print $2 }' | grep -qx admin; then
    airflow users reset-password --username admin --password "$FEEDBACK_SECRET_UI_ADMIN_PASSWORD"
else
    airflow users create --username admin --firstname Feedback --lastname Administrator \
        --email admin@localhost --role Admin --password "$FEEDBACK_SECRET_UI_ADMIN_PASSWORD"
fi
echo "The databases are ready."
