"""
# discover_themes

**What it does.** Groups comments into broad themes and finer subthemes: fits a theme set on a bounded sample where there
is none for the models in force, or where the texts have grown by a fifth; matches it to the previous set so that a theme
keeps its slug, and records what was kept, split, merged or retired; assigns every embedded text and its parts, or says
`unassigned`; measures how far the texts have drifted from the set. Then the analysis gate (Great Expectations) looks at
everything that was read: languages, embeddings, sentiment, topics, themes.

**When.** After comments were analysed (asset `analysis.sentiment`).

**Running it again** on the same texts gives the same set. To fit anew: trigger it with `{"must_refit": true}`.

**Drift.** `audit_trail.fct_theme_drift` has a row a run. `is_refit_proposed` says that somebody should look; the reasons
stand beside it. Drift alone changes no theme: that is the parameter `refit_when`, `grown` unless it is changed below
(`never`: only by hand; `proposed`: whenever a run proposes it). No refit touches what people decided about themes.

**When it fails**
- `fit_themes`: the fit failed; the current set stays in force. While a delivery is under way the fit is skipped, and
  the run that ends that delivery starts this DAG again.
- `assign_themes`: the database refuses; run it again, it goes on where it stopped.
- `measure_drift`: run it again; nothing but its own row depends on it.
- `check_analysis`: a check of the analysis gate with effect `stop_publication` did not pass; nothing is published on top
  of it. See `audit_trail.fct_check_results` with gate `analysis`.
"""

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from patient_feedback.orchestration import analysis, themes
from patient_feedback.orchestration.assets import ANALYSIS_SENTIMENT, ANALYSIS_THEME_ASSIGNMENT
from patient_feedback.orchestration.dag_defaults import LANGUAGE_POOL, dag_arguments, recorded_task


@dag(
    schedule=[ANALYSIS_SENTIMENT],
    params={
        "must_refit": Param(False, type="boolean", description="Fit a new theme set even if little changed"),
        "refit_when": Param("grown", enum=["never", "grown", "proposed"], description="Without being asked"),
    },
    doc_md=__doc__,
    **dag_arguments("data-engineering", deadline_minutes=60, tags=["themes"]),
)
def discover_themes() -> None:
    @task(pool=LANGUAGE_POOL)
    def fit_themes() -> None:
        params = get_current_context()["params"]
        refit_when = themes.RefitWhen(params["refit_when"])
        with recorded_task() as (settings, task_run, counts):
            themes.fit_themes(settings, task_run, counts, bool(params["must_refit"]), refit_when)
        if counts.is_skipped:
            raise AirflowSkipException("A delivery is under way: its run starts this DAG again.")

    @task
    def assign_themes() -> None:
        with recorded_task() as (settings, _, counts):
            themes.assign_themes(settings, counts)

    @task
    def measure_drift() -> None:
        with recorded_task() as (settings, task_run, counts):
            themes.measure_drift(settings, task_run, counts)

    @task(outlets=[ANALYSIS_THEME_ASSIGNMENT])
    def check_analysis() -> None:
        with recorded_task() as (settings, task_run, counts):
            analysis.check_analysis(settings, task_run, counts)

    fit_themes() >> assign_themes() >> measure_drift() >> check_analysis()


discover_themes()
