"""Runs every stage of the pipeline in order, as the DAGs do, in a process that a test can kill."""

from __future__ import annotations

from patient_feedback.orchestration import analysis, disclosure, ingestion, marts, themes
from patient_feedback.orchestration.task_run import TaskCounts, TaskRun, recorded
from patient_feedback.settings import Settings
from patient_feedback.sources.declaration import load_sources


def run_stages(settings: Settings, run_id: str, window=None, must_publish: bool = True) -> bool:
    """Run what a scheduled run would, at will without the marts; return whether anything was published."""
    for source in load_sources(settings.sources_file):
        dag_id = f"ingest_feedback__{source.slug}"

        def in_task(task_id: str, body, dag_id: str = dag_id):
            task_run = TaskRun(dag_id, run_id, task_id, window=window)
            with recorded(settings, task_run) as counts:
                return body(task_run, counts)

        delivery_ids = in_task(
            "land_deliveries",
            lambda run, counts, s=source: ingestion.land_deliveries(settings, s, run, counts),
        )
        in_task(
            "map_records",
            lambda _, counts, s=source, d=delivery_ids: ingestion.map_records(settings, s, d, counts),
        )
        in_task(
            "check_and_accept",
            lambda run, counts, s=source, d=delivery_ids: ingestion.check_and_accept(
                settings, s, d, run, counts
            ),
        )
    announced = TaskCounts()
    ingestion.announce_feedback(settings, announced)
    if announced.is_skipped:
        return False

    def in_downstream(dag_id: str, task_id: str, body):
        task_run = TaskRun(dag_id, run_id, task_id)
        with recorded(settings, task_run) as counts:
            return body(task_run, counts)

    in_downstream("analyse_comments", "detect_languages", lambda _, c: analysis.detect_languages(settings, c))
    in_downstream("analyse_comments", "embed_comments", lambda _, c: analysis.embed_comments(settings, c))
    in_downstream("analyse_comments", "score_comments", lambda _, c: analysis.score_comments(settings, c))
    in_downstream(
        "analyse_comments",
        "read_serious_comments",
        lambda _, c: analysis.read_serious_comments(settings, c),
    )
    in_downstream(
        "analyse_comments", "announce_readings", lambda _, c: analysis.announce_readings(settings, c)
    )
    in_downstream("discover_themes", "fit_themes", lambda r, c: themes.fit_themes(settings, r, c))
    in_downstream("discover_themes", "assign_themes", lambda _, c: themes.assign_themes(settings, c))
    in_downstream("discover_themes", "measure_drift", lambda r, c: themes.measure_drift(settings, r, c))
    in_downstream("discover_themes", "check_analysis", lambda r, c: analysis.check_analysis(settings, r, c))
    if not must_publish:
        return False
    candidate = in_downstream("build_marts", "build_marts", lambda r, c: marts.build_marts(settings, r, c))
    in_downstream(
        "build_marts", "attack_marts", lambda r, c: disclosure.attack_marts(settings, candidate, r, c)
    )
    in_downstream("build_marts", "check_marts", lambda r, c: marts.check_marts(settings, candidate, r, c))
    in_downstream("build_marts", "publish_marts", lambda r, c: marts.publish_marts(settings, candidate, r, c))
    return True


def main(run_id: str, *options: str) -> None:
    published = run_stages(Settings.from_environment(), run_id, must_publish="without-marts" not in options)
    print("published" if published else "nothing new")
