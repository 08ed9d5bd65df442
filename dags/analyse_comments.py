"""
# analyse_comments

**What it does.** Reads each distinct redacted text once: language, embedding (sentence-transformers) of the text and of
its parts, sentiment in five levels, kind of answer, topics of the fixed taxonomy and of declared ones, and what is
serious (self-harm, harm, safeguarding, discrimination) for the worklist of people. Results go to
`analysis.*`, each stamped with the version of its model. A text in a language that the encoder does not know is counted
and left unread, never guessed. Vectors and readings of texts that were withdrawn or edited away are deleted.

Texts with anything left to read are cut into ranges of their hashes, 50,000 at most, and workers take one each; few are
one range. The pool `language_models` says how many run at once, `FEEDBACK_WORKER_THREADS` how many threads each uses.

**When.** After any source has brought feedback (asset `feedback.comment`).

**Running it again** reads only what the models in force have not read. To change a model, set `FEEDBACK_ENCODER` or
install other heads: the next run reads everything anew and keeps the old rows.

**When it fails**
- `embed_comments`: the model's files are missing or altered; the message names the file and the expected hash.
- `score_comments`: the heads are missing or altered, or a declared taxonomy cannot be read; the message says which.
- One range of several failed: clear it alone, the others are done.
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
    def detect_languages() -> list[list[str | None]]:
        with recorded_task() as (settings, _, counts):
            partitions = analysis.detect_languages(settings, counts)
        return [[partition.start, partition.end] for partition in partitions]

    @task(pool=LANGUAGE_POOL)
    def embed_comments(partition: list[str | None]) -> None:
        with recorded_task() as (settings, _, counts):
            analysis.embed_comments(settings, counts, analysis.Partition(*partition))

    @task(pool=LANGUAGE_POOL)
    def score_comments(partition: list[str | None]) -> None:
        with recorded_task() as (settings, _, counts):
            analysis.score_comments(settings, counts, analysis.Partition(*partition))

    @task(pool=LANGUAGE_POOL)
    def read_serious_comments(partition: list[str | None]) -> None:
        with recorded_task() as (settings, _, counts):
            analysis.read_serious_comments(settings, counts, analysis.Partition(*partition))

    # One event for all partitions: themes of a part of the texts would depend on the moment.
    @task(outlets=[ANALYSIS_SENTIMENT])
    def announce_readings() -> None:
        with recorded_task() as (settings, _, counts):
            analysis.announce_readings(settings, counts)

    partitions = detect_languages()
    embedded = embed_comments.expand(partition=partitions)
    scored = score_comments.expand(partition=partitions)
    found = read_serious_comments.expand(partition=partitions)
    embedded >> [scored, found] >> announce_readings()


analyse_comments()
