"""From delivered comments to readings, through the library's functions in one process, without a database."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from benchmarks.figures import OVER_REPEATS, over_repeats
from benchmarks.language.readings import fit_arguments, shipped_readers
from benchmarks.language.splits import first_of_each
from benchmarks.language.workbench import Workbench
from benchmarks.machine import in_turn, seconds
from benchmarks.report import PartResult, Row, Table, shown
from patient_feedback.language.answer_kind import comment_reading
from patient_feedback.language.detection import detect_languages
from patient_feedback.language.encoder import load_encoder
from patient_feedback.language.segments import several_segments, without_context
from patient_feedback.language.sentiment import load_sentiment_model
from patient_feedback.language.topics import load_topic_model
from patient_feedback.privacy.redaction import Redactor
from patient_feedback.settings import DEFAULT_ENCODER
from patient_feedback.themes.assign import ThemeCentres, assign_themes
from patient_feedback.themes.fit import fit_themes

LANGUAGE = "en"
NEW_SHARE = 0.01
STEPS = ("redact", "detect", "embed", "sentiment", "topics", "assign")


@dataclass
class Analysis:
    """The models, loaded once, and what is known of texts read before, by the hash of the redacted text."""

    threads: int
    seconds: dict[str, float] = field(default_factory=dict)
    known: set[tuple[str, str]] = field(default_factory=set)
    """Hash and intent."""

    @cached_property
    def redactor(self) -> Redactor:
        redactor = Redactor(self.threads)
        redactor.redact(["The nurse was kind."], LANGUAGE)
        return redactor

    @cached_property
    def models(self):  # type: ignore[no-untyped-def]
        encoder = load_encoder(DEFAULT_ENCODER, self.threads)
        return encoder, load_sentiment_model(encoder.version), load_topic_model(encoder.version)

    def read(self, texts: Sequence[str], intents: Sequence[str], centres: ThemeCentres) -> int:
        """Read comments that were not read before; return how many there were."""
        encoder, sentiment, topics = self.models
        with self._timed("redact"):
            redacted = [one.text for one in self.redactor.redact(texts, LANGUAGE)]
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in redacted]
        new = {
            (sha256, intent): text
            for sha256, intent, text in zip(hashes, intents, redacted, strict=True)
            if (sha256, intent) not in self.known
        }
        self.known |= new.keys()
        distinct = {sha256: text for (sha256, _), text in new.items()}
        positions = {sha256: i for i, sha256 in enumerate(distinct)}
        listed = list(distinct.values())
        with self._timed("detect"):
            detect_languages(listed, [LANGUAGE] * len(listed))
        with self._timed("embed"):
            spans = [several_segments(text, LANGUAGE) for text in listed]
            vectors, parts = encoder.encode_spans(listed, spans)
            parts = without_context(parts, vectors[[i for i, cut in enumerate(spans) for _ in cut]])
            vectors, parts = (made.astype(np.float16).astype(np.float32) for made in (vectors, parts))
        first_part = np.cumsum([0, *map(len, spans)])
        asked, spoken = [intent for _, intent in new], list(new.values())
        rows = [positions[sha256] for sha256, _ in new]
        of_each = vectors[rows]
        with self._timed("sentiment"):
            sentiment.score(of_each, asked, spoken)
            owners = [i for i, row in enumerate(rows) for _ in spans[row]]
            of_part = [part for row in rows for part in range(first_part[row], first_part[row + 1])]
            spoken_parts = [listed[row][start:end] for row in rows for start, end in spans[row]]
            scores: list[list[float]] = [[] for _ in rows]
            if owners:
                scored = sentiment.score(parts[of_part], [asked[i] for i in owners], spoken_parts)
                for owner, part in zip(owners, scored, strict=True):
                    scores[owner].append(part.score)
            for text, intent, own in zip(spoken, asked, scores, strict=True):
                comment_reading(text, intent, own)
        with self._timed("topics"):
            topics.mentions(of_each, asked, spoken)
        with self._timed("assign"):
            assign_themes(listed, vectors, centres)
        return len(new)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started


def measure(bench: Workbench) -> PartResult:
    analysis = Analysis(bench.settings.threads)
    fixed: dict[str, Callable[[], object]] = {
        "loading the redactor's language model": lambda: analysis.redactor,
        "loading encoder and heads": lambda: analysis.models,
        "loading the language detector": lambda: detect_languages(["The nurse was kind."], [None]),
    }
    costs = {name: seconds(load) for name, load in fixed.items()}
    texts, intents = list(bench.comments.texts), list(bench.comments.intents)
    first = first_of_each(texts, np.arange(len(texts)))
    encoder = analysis.models[0]
    sample = [texts[i] for i in first]
    centres = fit_themes(
        sample, encoder.encode(sample), **fit_arguments(shipped_readers(analysis.models[2]))
    ).centres
    later = max(1, round(NEW_SHARE * len(first)))

    def read(rows: np.ndarray) -> Callable[[], object]:
        def work() -> None:
            analysis.known.clear()
            analysis.read([texts[i] for i in rows], [intents[i] for i in rows], centres)

        return work

    def read_new() -> None:
        analysis.read([texts[i] for i in first[-later:]], [intents[i] for i in first[-later:]], centres)

    everything = np.arange(len(texts))
    sides = {"distinct": read(first), "delivered": read(everything)}
    taken = in_turn(sides, bench.settings.repeats)
    analysis.seconds.clear()
    read(first)()
    steps = dict(analysis.seconds)
    shares = []
    for _ in range(bench.settings.repeats):
        whole = seconds(read(first))
        analysis.known.clear()
        shares.append(seconds(read_new) / whole)
    how = (
        "redact, detect, embed (parts of comments too), sentiment (of parts too), topics, assign; models loaded; "
        f"{bench.settings.threads} threads; "
        f"encoder {encoder.version}; {OVER_REPEATS}"
    )
    rows = (
        Row(
            "analysis_distinct_comments_per_second",
            how,
            len(first),
            over_repeats([len(first) / second for second in taken["distinct"]]),
            goal=400.0,
        ),
        Row(
            "analysis_delivered_comments_per_second",
            f"as delivered, repeated answers included; {how}",
            len(texts),
            over_repeats([len(texts) / second for second in taken["delivered"]]),
        ),
        Row(
            "analysis_cost_of_one_percent_new",
            f"time for {later} new comments over time for all {len(first)}, fixed costs (see below) left out; {how}",
            len(first),
            over_repeats(shares),
            goal=0.03,
            is_lower_better=True,
        ),
    )
    return PartResult(rows, (_steps(steps, len(first)), _fixed_costs(costs, steps, len(first))))


def _steps(steps: dict[str, float], count: int) -> Table:
    whole = sum(steps.values())
    rows = [
        (name, shown(steps[name]), f"{steps[name] / whole:.0%}", shown(count / steps[name])) for name in STEPS
    ]
    return Table("Steps", ("step", "seconds", "share", "comments/s"), tuple(rows))


def _fixed_costs(costs: dict[str, float], steps: dict[str, float], count: int) -> Table:
    whole, fixed = sum(steps.values()), sum(costs.values())
    # fixed + 1 % of the work is at most 3 % of the work from this many comments on.
    enough = fixed / (2 * NEW_SHARE) / (whole / count)
    return Table(
        "Fixed costs of a process",
        ("what", "seconds"),
        (*((name, shown(cost)) for name, cost in costs.items()), ("together", shown(fixed))),
        f"Each task of a run pays for what it loads, whatever the number of comments (a run without new comments loads "
        f"nothing). With them, a run with 1 % new comments costs 3 % of the full one from about {enough:,.0f} comments on.",
    )
