"""Texts without the identifiers in them: each is replaced by its kind in brackets, as in "Dr [PERSON]"."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import regex

from patient_feedback.errors import FeedbackError

if TYPE_CHECKING:
    from patient_feedback.privacy.engine import RedactionEngine

REDACTION_VERSION = "1"
"""Raised whenever a rule, a list or the model changes what is redacted: texts are redacted again then."""

PIECE_CHARACTERS = 20_000
"""Longer texts are cut at white space, so that memory and time grow with their length only."""
TEXTS_PER_CHUNK = 500
FEWEST_TEXTS_FOR_PROCESSES = 20_000
"""Below it, starting processes costs more than they save."""
_MOST_ROUNDS = 12
_BREAK = regex.compile(r"(?<=[.!?\n])\s")


@dataclass(frozen=True, slots=True)
class RedactedText:
    """`entity_counts` says how many identifiers of each kind were replaced."""

    text: str
    entity_counts: dict[str, int]


class Redactor:
    """Redacts texts; made once and used for many, since loading the language model takes seconds.

    `processes`: with 2 or more, large batches are divided among that many processes, each with its own model;
    where the calling process may not start others, it works alone.
    """

    def __init__(self, processes: int = 1) -> None:
        if processes < 1:
            raise FeedbackError(f"processes={processes}: give 1 or more.")
        self._processes = processes

    def redact(self, texts: Sequence[str], language: str) -> list[RedactedText]:
        """Return one redacted text per text, in order; redacting the result again changes nothing.

        `language`: "en" has a model of names; any other code is redacted by the rules of all languages alone.
        Raises FeedbackError, which never holds a text.
        """
        distinct = list(dict.fromkeys(texts))
        chunks = [
            distinct[start : start + TEXTS_PER_CHUNK] for start in range(0, len(distinct), TEXTS_PER_CHUNK)
        ]
        is_shared = self._processes > 1 and len(distinct) >= FEWEST_TEXTS_FOR_PROCESSES
        if is_shared and not multiprocessing.current_process().daemon:
            done = self._redact_in_processes(chunks, language)
        else:
            done = [_redact_chunk(chunk, language) for chunk in chunks]
        results = dict(zip(distinct, (result for chunk in done for result in chunk), strict=True))
        return [results[text] for text in texts]

    def _redact_in_processes(self, chunks: list[list[str]], language: str) -> list[list[RedactedText]]:
        with ProcessPoolExecutor(self._processes, mp_context=_process_context()) as pool:
            try:
                return list(pool.map(_redact_chunk, chunks, [language] * len(chunks)))
            except BrokenProcessPool:
                raise FeedbackError(
                    f"One of {self._processes} redaction processes ended early, likely for want of memory. "
                    "Run it again with FEEDBACK_WORKER_THREADS=1."
                ) from None


def _process_context() -> multiprocessing.context.BaseContext:
    """Start processes from a clean one that has imported the libraries, never from this one's memory."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["presidio_analyzer", "presidio_anonymizer"])
    return context


@cache
def _engine() -> RedactionEngine:
    from patient_feedback.privacy.engine import RedactionEngine

    return RedactionEngine()


def _redact_chunk(texts: Sequence[str], language: str) -> list[RedactedText]:
    """Redact in this process; whatever goes wrong is told without the text and without the first error."""
    try:
        engine = _engine()
        pieces = [(place, piece) for place, text in enumerate(texts) for piece in _pieces(text)]
        redacted = _redact_until_stable(engine, [piece for _, piece in pieces], language)
        joined: list[list[RedactedText]] = [[] for _ in texts]
        for (place, _), result in zip(pieces, redacted, strict=True):
            joined[place].append(result)
        return [_join(results) for results in joined]
    except FeedbackError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its message and its frames may hold the text
        kind = type(error).__name__
    raise FeedbackError(
        f"Redaction of {len(texts)} texts (language '{language}', the longest of "
        f"{max(map(len, texts), default=0)} characters) failed with {kind}. Nothing was kept. "
        "The first error is withheld because it may quote a text."
    )


def _redact_until_stable(engine: RedactionEngine, texts: list[str], language: str) -> list[RedactedText]:
    """Redact until another round finds nothing: beside a replaced name another may show only then."""
    current = list(texts)
    counts: list[Counter[str]] = [Counter() for _ in texts]
    waiting = list(range(len(texts)))
    for _ in range(_MOST_ROUNDS):
        if not waiting:
            break
        changed = []
        for place, result in zip(
            waiting, engine.redact_once([current[place] for place in waiting], language), strict=True
        ):
            if result is not None and result.text != current[place]:
                current[place] = result.text
                counts[place].update(item.entity_type for item in result.items)
                changed.append(place)
        waiting = changed
    return [
        RedactedText(text, dict(sorted(count.items()))) for text, count in zip(current, counts, strict=True)
    ]


def _pieces(text: str) -> Iterator[str]:
    """Cut a long text after a sentence or at white space near the limit, to cut no identifier in two."""
    start = 0
    while len(text) - start > PIECE_CHARACTERS:
        window = text[start : start + PIECE_CHARACTERS]
        tail = PIECE_CHARACTERS // 2
        breaks = [match.end() for match in _BREAK.finditer(window, tail)] or [
            match.end() for match in regex.finditer(r"\s", window, pos=tail)
        ]
        end = start + (breaks[-1] if breaks else PIECE_CHARACTERS)
        yield text[start:end]
        start = end
    yield text[start:]


def _join(results: list[RedactedText]) -> RedactedText:
    if len(results) == 1:
        return results[0]
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result.entity_counts)
    return RedactedText("".join(result.text for result in results), dict(sorted(counts.items())))
