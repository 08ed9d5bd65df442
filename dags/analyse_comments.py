"""
# analyse_comments

**What it does.** Reads each distinct redacted text once: language, embedding (sentence-transformers), sentiment in five
levels, topics of the fixed taxonomy. Results go to `analysis.*`, each stamped with the version of its model. A text in a
language that the encoder does not know is counted and left unread, never guessed.

**When.** After any source has brought feedback (asset `feedback.comment`).

**Running it again** reads only what the models in force have not read. To change a model, set `FEEDBACK_ENCODER` or
install other heads: the next run reads everything anew and keeps the old rows.

**When it fails**
- `embed_comments`: the model's files are missing or altered; the message names the file and the expected hash.
- `score_comments`: the heads are bound to another encoder; the message names both versions.
"""

from airflow.sdk import dag, task

from patient_feedback.orchestration import analysis
from patient_feedback.orchestration.assets import ANALYSIS_SENTIMENT, FEEDBACK_COMMENT
from patient_feedback.orchestration.dag_defaults import LANGUAGE_POOL, dag_arguments, recorded_task


@dag(
    schedule=[FEEDBACK_COMMENT],
    doc_md=__doc__,
    **dag_arguments("data-engineering", deadline_minutes=60, tags=["analysis"]),
)
def analyse_comments() -> None:
    @task
    def detect_languages() -> None:
        with recorded_task() as (settings, _, counts):
            analysis.detect_languages(settings, counts)

    @task(pool=LANGUAGE_POOL)
    def embed_comments() -> None:
        with recorded_task() as (settings, _, counts):
            analysis.embed_comments(settings, counts)

    @task(pool=LANGUAGE_POOL, outlets=[ANALYSIS_SENTIMENT])
    def score_comments() -> None:
        with recorded_task() as (settings, _, counts):
            analysis.score_comments(settings, counts)

    detect_languages() >> embed_comments() >> score_comments()


analyse_comments()
