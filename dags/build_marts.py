"""
# build_marts

**What it does.** Builds the marts with dbt beside the published ones, attacks them as a reader would who wants the
suppressed numbers, mends what gives one away, runs dbt's tests and the marts gate (Great Expectations) on them, and
publishes them in one transaction: `patient_experience` for analysts, `audit_trail` for auditors. It goes on from what the
slot showed two publications ago where only responses and texts changed since, else builds all (`is_incremental`).

**When.** After every text has its theme (asset `analysis.theme_assignment`).

**Running it again** builds the other slot and gives the same rows.

**When it fails** the published marts stay as they were.
- `build_marts`: a model does not build; see `<FEEDBACK_HOME>/dbt/logs/dbt.log`.
- `attack_marts`: the solver could not start, or a model does not build again after cells were withheld or kept
  (`audit_trail.fct_suppression_overrides`). A number that remains is no failure here: FB-MRT-081 says it in `check_marts`,
  `audit.recovered_cell` names the cells. Then the edition before shows a number that is now below the minimum, or so much
  would have to be hidden that a person should look: at a raised minimum, at a source that was delivered anew.
- `check_marts`: a dbt test or a check that forbids publication did not pass; the message names the check,
  `expectations/check_register.md` and `dbt_project/` say why it matters.
- `publish_marts`: a long query holds a published view for more than 30 s; retried.
"""

from airflow.sdk import dag, task

from patient_feedback.orchestration import disclosure, marts
from patient_feedback.orchestration.assets import ANALYSIS_THEME_ASSIGNMENT, PATIENT_EXPERIENCE_FCT_COMMENTS
from patient_feedback.orchestration.dag_defaults import MARTS_POOL, dag_arguments, recorded_task


@dag(
    schedule=[ANALYSIS_THEME_ASSIGNMENT],
    doc_md=__doc__,
    **dag_arguments("analytics-engineering", deadline_minutes=60, tags=["marts"]),
)
def build_marts() -> None:
    @task(task_id="build_marts", pool=MARTS_POOL)
    def build_candidate_marts() -> dict[str, str | int]:
        with recorded_task() as (settings, task_run, counts):
            return marts.build_marts(settings, task_run, counts)

    @task(pool=MARTS_POOL)
    def attack_marts(candidate: dict[str, str | int]) -> dict[str, str | int]:
        with recorded_task() as (settings, task_run, counts):
            return disclosure.attack_marts(settings, candidate, task_run, counts)

    @task(pool=MARTS_POOL)
    def check_marts(candidate: dict[str, str | int]) -> dict[str, str | int]:
        with recorded_task() as (settings, task_run, counts):
            return marts.check_marts(settings, candidate, task_run, counts)

    @task(pool=MARTS_POOL, outlets=[PATIENT_EXPERIENCE_FCT_COMMENTS])
    def publish_marts(candidate: dict[str, str | int]) -> None:
        with recorded_task() as (settings, task_run, counts):
            marts.publish_marts(settings, candidate, task_run, counts)

    publish_marts(check_marts(attack_marts(build_candidate_marts())))


build_marts()
