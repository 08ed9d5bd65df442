"""
# ingest_feedback__&lt;source&gt;

**What it does.** One DAG per source declared in `sources.yml`. It lands new files unchanged, turns their rows into
typed candidates, lets the landing gate (Great Expectations) set aside what is wrong, and accepts the rest into
`feedback.*` with identifiers removed. Every record ends as accepted, set aside, duplicate or withdrawn.

**When.** On the schedule that the source declares. A run without new files costs seconds and starts nothing.

**Running it again** changes nothing: files are known by their hash, records by the source's own ids.
A backfill (`airflow backfill create --dag-id ingest_feedback__x --from-date .. --to-date ..`) reads again the files
written, and the deliveries whose feedback was given, in each interval.

**When it fails**
- `land_deliveries`: the source's place is away or refuses (retried); a file still being written is left for the next run.
- `map_records`: the declaration does not fit; `patient-feedback check-sources` names line and field.
- `check_and_accept`: a check could not run (never: "a check failed", that is carried out and recorded), or the database
  refuses; the transaction is undone, run it again. Deliveries that are done stay done.

A broken delivery is refused with its reason in `audit_trail.fct_source_deliveries`; the other files go on.
Task logs hold counts and ids, never text. Counts per try: `audit_trail.fct_pipeline_runs`.
"""

from airflow.sdk import CronDataIntervalTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from patient_feedback.orchestration import ingestion
from patient_feedback.orchestration.assets import FEEDBACK_COMMENT
from patient_feedback.orchestration.dag_defaults import LANGUAGE_POOL, dag_arguments, recorded_task
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import Source, load_sources


def ingest_dag(source: Source) -> None:
    @dag(
        dag_id=f"ingest_feedback__{source.slug}",
        schedule=CronDataIntervalTimetable(source.schedule, timezone="UTC") if source.schedule else None,
        doc_md=f"Source: **{source.label}**\n{__doc__}",
        **dag_arguments(source.owner, source.deadline_minutes, ["ingest", source.kind]),
    )
    def ingest_feedback() -> None:
        @task
        def land_deliveries() -> list[str]:
            with recorded_task() as (settings, task_run, counts):
                return ingestion.land_deliveries(settings, source, task_run, counts)

        @task
        def map_records(delivery_ids: list[str]) -> list[str]:
            with recorded_task() as (settings, _, counts):
                return ingestion.map_records(settings, source, delivery_ids, counts)

        @task(pool=LANGUAGE_POOL)
        def check_and_accept(delivery_ids: list[str]) -> None:
            with recorded_task() as (settings, task_run, counts):
                ingestion.check_and_accept(settings, source, delivery_ids, task_run, counts)

        @task(outlets=[FEEDBACK_COMMENT])
        def announce_feedback() -> None:
            with recorded_task() as (settings, _, counts):
                ingestion.announce_feedback(settings, counts)
            if counts.is_skipped:
                raise AirflowSkipException(
                    "Nothing new, or another delivery is under way and its run goes on from here."
                )

        check_and_accept(map_records(land_deliveries())) >> announce_feedback()

    ingest_feedback()


for declared_source in load_sources(Settings.from_environment().sources_file):
    ingest_dag(declared_source)
