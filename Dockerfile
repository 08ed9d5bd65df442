# syntax=docker/dockerfile:1
# The project and all it needs at run time; every service of docker-compose.yml runs this one image.
#
#   docker compose build
#
# Indexes and proxies are this machine's own affair: pass a pip.conf as a build secret
# (docker build --secret id=pip_conf,src=$HOME/.config/pip/pip.conf .), and for torch alone the address
# of PyTorch's index of CPU builds as TORCH_INDEX_URL, else its default build brings several GB for graphics cards.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS environment
ARG TORCH_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH}
COPY requirements-torch.txt requirements.txt /tmp/
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    pip install ${TORCH_INDEX_URL:+--index-url ${TORCH_INDEX_URL}} --requirement /tmp/requirements-torch.txt
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    pip install --requirement /tmp/requirements.txt \
    && pip check

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 feedback \
    && useradd --uid 10001 --gid feedback --home-dir /var/lib/airflow --no-create-home --shell /usr/sbin/nologin feedback \
    && install --directory --owner feedback --group feedback --mode 0750 \
        /var/lib/airflow /var/lib/airflow/logs /var/lib/feedback
COPY --from=environment /opt/venv /opt/venv
WORKDIR /opt/patient-feedback
COPY dags dags
COPY plugins plugins
COPY dbt_project dbt_project
COPY expectations expectations
COPY scripts/prepare_production.sh scripts/
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONPATH=/opt/patient-feedback/plugins \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TOKENIZERS_PARALLELISM=false \
    HF_HUB_OFFLINE=1 \
    DO_NOT_TRACK=1 \
    GX_ANALYTICS_ENABLED=false \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    FEEDBACK_PROJECT_DIR=/opt/patient-feedback \
    FEEDBACK_HOME=/var/lib/feedback \
    AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/patient-feedback/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/patient-feedback/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/lib/airflow/logs
RUN python -m compileall -q plugins dags
USER feedback
EXPOSE 8080
# Of the API server; docker-compose.yml gives each other service a check of its own.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=5 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/api/v2/monitor/health', timeout=8)"]
ENTRYPOINT ["airflow"]
CMD ["api-server"]
