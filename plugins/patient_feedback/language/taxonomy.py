"""Taxonomies that people declare: labels with a description, with or without examples, read without retraining.

A label without examples is found by its description alone (zero-shot): the vector of a comment, or of one of
its parts, is compared with those of all descriptions, and the label must win over the others and over the
topics of the fixed taxonomy, which are what patients speak of else. A label with examples gets a small
classifier on them. Both are fitted on the fly from the declaration and the encoder, and their version is the
hash of the two. `python -m patient_feedback.language.taxonomy` prints the JSON Schema that editors complete from.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from patient_feedback.declaration_problems import read_yaml, render_problems, validation_problems
from patient_feedback.errors import DeclarationError, ModelError
from patient_feedback.language.answer_kind import CommentReading, answer_kind
from patient_feedback.language.encoder import Encoder
from patient_feedback.language.heads import READING_DIGITS
from patient_feedback.language.topics import TopicMention

SLUG_PATTERN = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
"""No two underscores in a row: they part the taxonomy from its label in a topic's slug."""
SEPARATOR = "__"
FIXED_TAXONOMY = "nhs_patient_experience"
MINIMUM_EXAMPLES = 5
READER_RULES_VERSION = "1"
"""Goes up with any change of how labels are found."""
VERSION_HEX_DIGITS = 8
DESCRIPTIONS = Path(__file__).resolve().parent / "descriptions"

# Chosen once for all taxonomies, on the labelled development data: the constants with the best mean F1 over
# thirteen small taxonomies drawn from the 36 topics (docs/model_cards/topics.md).
SHARPNESS = 1.75
"""Nearness is measured in spreads of everyday sentences; one spread more makes a label e^1.75 times as likely."""
ZERO_SHOT_THRESHOLD = 0.25
TRAINED_THRESHOLD = 0.65


class Label(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    slug: Annotated[str, Field(pattern=SLUG_PATTERN, max_length=63)]
    """Permanent name within the taxonomy."""
    label: Annotated[str, Field(min_length=2)]
    """The name that people read."""
    description: Annotated[str, Field(min_length=12)]
    """What a comment with this label speaks of, in words that patients would use."""
    examples: list[Annotated[str, Field(min_length=3)]] = []
    """Comments that speak of it: none, or five and more; invented ones, never a patient's words."""

    @model_validator(mode="after")
    def _has_enough_examples(self) -> Self:
        if 0 < len(set(self.examples)) < MINIMUM_EXAMPLES:
            said = (
                f"has {len(set(self.examples))} different ones: give {MINIMUM_EXAMPLES} or more, or leave them out "
                "and the description alone decides"
            )
            raise PydanticCustomError("rule", "breaks a rule", {"found": [("examples", said)]})
        return self


class Taxonomy(BaseModel):
    """A declared list of labels; see examples/taxonomies for one."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    slug: Annotated[str, Field(pattern=SLUG_PATTERN, max_length=63)]
    """Permanent name: it is part of every topic's slug. Never use it for another taxonomy."""
    label: Annotated[str, Field(min_length=2)]
    """The name that people read."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] = "en"
    """The language of descriptions and examples; the encoder must read it."""
    labels: Annotated[list[Label], Field(min_length=1)]

    @model_validator(mode="after")
    def _slugs_are_told_apart(self) -> Self:
        counted = Counter(label.slug for label in self.labels)
        found = [
            (f"labels[{index}].slug", f"'{label.slug}' is used twice: give each label its own")
            for index, label in enumerate(self.labels)
            if counted[label.slug] > 1
        ]
        if found:
            raise PydanticCustomError("rule", "breaks a rule", {"found": found})
        return self

    def topic_slug(self, label: Label) -> str:
        """Return the slug under which the label is published; no other taxonomy can have the same."""
        return f"{self.slug}{SEPARATOR}{label.slug}"

    def reader_version(self, encoder_version: str) -> str:
        """Return the version that `TaxonomyReader.fit` will have with this encoder, without loading it."""
        deciding = json.dumps(
            [
                self.model_dump(mode="json"),
                framework().model_dump(mode="json"),
                background_sentences(),
                READER_RULES_VERSION,
            ],
            sort_keys=True,
        )
        digest = hashlib.sha256(deciding.encode()).hexdigest()[:VERSION_HEX_DIGITS]
        return f"{self.slug}+{digest}+{encoder_version}"


class TaxonomyReader:
    """Finds the labels of a taxonomy in vectors of one encoder; the same shape as a trained topic model."""

    def __init__(
        self,
        version: str,
        topic_slugs: tuple[str, ...],
        centres: NDArray[np.float32],
        usual_nearness: NDArray[np.float32],
        spread: float,
        classifiers: dict[int, tuple[NDArray[np.float64], float]],
    ) -> None:
        self._version = version
        self._topic_slugs = topic_slugs
        self._centres = centres
        """Of the labels, then of what they compete with."""
        self._usual_nearness = usual_nearness
        self._spread = spread
        self._classifiers = classifiers

    @classmethod
    def fit(cls, encoder: Encoder, taxonomy: Taxonomy) -> Self:
        """Fit on the taxonomy's own words; raise ModelError where the encoder does not read its language."""
        if taxonomy.language not in encoder.languages:
            raise ModelError(
                f"The taxonomy '{taxonomy.slug}' is written in '{taxonomy.language}', the encoder {encoder.version} "
                f"reads {', '.join(sorted(encoder.languages))}: translate the declaration, or set FEEDBACK_ENCODER "
                "to a multilingual encoder."
            )
        rivals = () if taxonomy.slug == FIXED_TAXONOMY else framework().labels
        centres = encoder.encode(
            [f"{each.label}: {each.description}" for each in (*taxonomy.labels, *rivals)]
        )
        background = encoder.encode(background_sentences())
        nearness = background @ centres.T
        usual = nearness.mean(axis=0)
        return cls(
            taxonomy.reader_version(encoder.version),
            tuple(taxonomy.topic_slug(label) for label in taxonomy.labels),
            centres,
            usual,
            max(float((nearness - usual).std()), float(np.finfo(np.float32).tiny)),
            _classifiers(encoder, taxonomy, centres, background),
        )

    @property
    def version(self) -> str:
        return self._version

    @property
    def topic_slugs(self) -> tuple[str, ...]:
        return self._topic_slugs

    def mentions(
        self,
        embeddings: NDArray[np.float32],
        intents: Sequence[str],
        texts: Sequence[str],
        segment_embeddings: NDArray[np.float32] | None = None,
        segment_owners: Sequence[int] = (),
    ) -> list[list[TopicMention]]:
        """Return the labels of each redacted text, most probable first, if any.

        `segment_embeddings` are vectors of parts of the texts, `segment_owners` the text that each belongs
        to: a label that one part speaks of is one of the text. An answer without a subject has none.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self._centres.shape[1]:
            raise ModelError(
                f"{self.version} reads vectors of {self._centres.shape[1]} numbers, given shape "
                f"{embeddings.shape}: embed the texts with the encoder that it was fitted with."
            )
        probabilities = self._probabilities(embeddings)
        if segment_embeddings is not None and len(segment_embeddings):
            np.maximum.at(
                probabilities, np.asarray(segment_owners, np.intp), self._probabilities(segment_embeddings)
            )
        thresholds = np.full(len(self._topic_slugs), ZERO_SHOT_THRESHOLD)
        thresholds[list(self._classifiers)] = TRAINED_THRESHOLD
        return [
            [
                TopicMention(self._topic_slugs[i], round(float(row[i]), READING_DIGITS))
                for i in np.argsort(-row, kind="stable")
                if row[i] >= thresholds[i]
            ]
            if answer_kind(text, intent) is CommentReading.CONTENT
            else []
            for row, intent, text in zip(probabilities, intents, texts, strict=True)
        ]

    def _probabilities(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of each label, shape (vectors, labels)."""
        vectors = embeddings.astype(np.float64)
        nearness = (vectors @ self._centres.T.astype(np.float64) - self._usual_nearness) / self._spread
        strength = np.exp(np.clip(SHARPNESS * nearness, -50, 50))
        shares = strength / strength.sum(axis=1, keepdims=True)
        probabilities: NDArray[np.float64] = shares[:, : len(self._topic_slugs)]
        for position, (weights, offset) in self._classifiers.items():
            probabilities[:, position] = 1.0 / (1.0 + np.exp(-np.clip(vectors @ weights + offset, -50, 50)))
        return probabilities


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a declaration; raise DeclarationError naming line, field and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError(
            f"The taxonomy {path} cannot be read ({type(error).__name__}): give a YAML file in UTF-8."
        ) from None
    document = read_yaml(text, path)
    problems = list(document.problems)
    taxonomy = None
    try:
        taxonomy = Taxonomy.model_validate(document.value)
    except ValidationError as error:
        problems += validation_problems(error, Taxonomy)
    if problems or taxonomy is None:
        raise DeclarationError(render_problems(path, document, problems, "the taxonomy"))
    return taxonomy


def load_taxonomies(folder: Path | None) -> tuple[Taxonomy, ...]:
    """Read every *.yml of a folder, in the order of their names; none where no folder is declared."""
    if folder is None:
        return ()
    paths = sorted(folder.glob("*.yml"))
    if not paths:
        raise DeclarationError(
            f"FEEDBACK_TAXONOMIES names {folder}, which holds no *.yml: put the declarations there, or unset it."
        )
    taken = {FIXED_TAXONOMY: "the fixed taxonomy of the project"}
    taxonomies = []
    for path in paths:
        taxonomy = load_taxonomy(path)
        if taxonomy.slug in taken:
            raise DeclarationError(
                f"{path}: the slug '{taxonomy.slug}' belongs to {taken[taxonomy.slug]}: give the taxonomy its own."
            )
        taken[taxonomy.slug] = str(path)
        taxonomies.append(taxonomy)
    return tuple(taxonomies)


@cache
def framework() -> Taxonomy:
    """Return the fixed taxonomy with a description of each topic."""
    return load_taxonomy(DESCRIPTIONS / "nhs_patient_experience.yml")


@cache
def background_sentences() -> list[str]:
    """Return what patients often say of anything at all, written for this project."""
    text = (DESCRIPTIONS / "background.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a declaration, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Taxonomy.model_json_schema(),
    }


def _classifiers(
    encoder: Encoder, taxonomy: Taxonomy, centres: NDArray[np.float32], background: NDArray[np.float32]
) -> dict[int, tuple[NDArray[np.float64], float]]:
    """Fit one classifier for each label with examples, against all else that the declaration and everyday say."""
    from sklearn.linear_model import LogisticRegression

    owners = [position for position, label in enumerate(taxonomy.labels) for _ in label.examples]
    if not owners:
        return {}
    examples = encoder.encode([text for label in taxonomy.labels for text in label.examples])
    vectors = np.concatenate([examples, centres, background])
    labels = range(len(taxonomy.labels))
    others = len(vectors) - len(owners) - len(labels)
    owner = np.array([*owners, *labels, *[-1] * others])
    fitted = {}
    for position in sorted(set(owners)):
        model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
        model.fit(vectors, owner == position)
        fitted[position] = (model.coef_[0].astype(np.float64), float(model.intercept_[0]))
    return fitted


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
