"""Serious comments: what a person should read soon, found by written patterns.

Self-harm, harm by care, safeguarding, discrimination. The patterns are a file that people edit, with the reason
of each; no text is learnt from. A sentence that negates them, or says them as an idiom, is passed over.
What they find and miss is in docs/model_cards/serious_comments.md. Silence of this reader proves nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from patient_feedback.declaration_problems import Problem, read_yaml, render_problems, validation_problems
from patient_feedback.errors import DeclarationError
from patient_feedback.language.segments import BREAK, SENTENCE_END
from patient_feedback.words import REDACTION_MARK

PATTERNS_FILE = Path(__file__).with_name("serious_patterns.yml")
READING_RULES_VERSION = "1"
"""Goes up with any change of how the patterns are read; the file's own changes are seen by its hash."""
VERSION_HEX_DIGITS = 8
NEGATION_REACH = 3
"""Words before a phrase among which a negation takes it back."""
GAP = r"(?:[^ ]+ ){0,5}?"

APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
WORD_OR_COMMA = re.compile(r"[^\W\d_]+|[,:()]")


class SeriousCategory(StrEnum):
    SAFEGUARDING = "safeguarding"
    HARM = "harm"
    SELF_HARM = "self_harm"
    DISCRIMINATION = "discrimination"


Phrase = Annotated[str, Field(min_length=2)]
Words = Annotated[str, Field(min_length=2)] | list[str]


class Pattern(BaseModel):
    """One thing that a serious comment may say, in several wordings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]
    category: SeriousCategory
    phrases: Annotated[list[Phrase], Field(min_length=1)]
    unless: list[Phrase] = []
    """Takes a match back that it overlaps."""
    unless_beside: list[Phrase] = []
    """Takes every match of its sentence back."""
    negation: Literal["takes_back", "keep"] = "takes_back"
    """`keep`: the phrase blames by its negation ("nobody gave her water"), so one before it takes nothing back."""
    why: Annotated[str, Field(min_length=12)]


class PatternsOfLanguage(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    lists: dict[str, Words] = {}
    negations: Words
    void: Words
    """Words that make an `unless` count for nothing where they stand before it, beside the negations."""
    idioms: list[Phrase] = []
    patterns: Annotated[list[Pattern], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class SeriousMention:
    category: SeriousCategory
    basis: str
    """Slugs of the patterns that were found, in the order of the alphabet, with commas between."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    slug: str
    category: SeriousCategory
    phrases: re.Pattern[str]
    unless: re.Pattern[str] | None
    unless_beside: re.Pattern[str] | None
    is_taken_back: bool


class SeriousReader:
    """Reads redacted texts in the languages that patterns are written in."""

    def __init__(self, declared: Mapping[str, PatternsOfLanguage], version: str) -> None:
        self.version = version
        self._languages = {code: _Language(own) for code, own in declared.items()}

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(self._languages))

    def read(self, text: str, language_code: str | None) -> list[SeriousMention] | None:
        """Return what is serious in the text, by category; None where its language has no patterns.

        A text whose language could not be determined (None) is read in every language: a short cry for help is
        often too short to tell.
        """
        codes = self.languages if language_code is None else (language_code,)
        readers = [self._languages[code] for code in codes if code in self._languages]
        if not readers:
            return None
        found: dict[SeriousCategory, set[str]] = {}
        for sentence in sentences(text):
            for reader in readers:
                for category, slug in reader.found(sentence):
                    found.setdefault(category, set()).add(slug)
        return [SeriousMention(category, ",".join(sorted(found[category]))) for category in sorted(found)]


@cache
def load_serious_reader(path: Path = PATTERNS_FILE) -> SeriousReader:
    """Load and check the patterns; DeclarationError says which one cannot be read and why."""
    document = read_yaml(path.read_text(encoding="utf-8"), path)
    problems = list(document.problems)
    declared: dict[str, PatternsOfLanguage] = {}
    if not isinstance(document.value, dict):
        problems.append(Problem((), "is no list of patterns by language, such as en and sv"))
        document.value = {}
    for code, content in document.value.items():
        try:
            own = PatternsOfLanguage.model_validate(content)
        except ValidationError as error:
            problems += [
                Problem((code, *found.path), found.message)
                for found in validation_problems(error, PatternsOfLanguage)
            ]
        else:
            problems += [Problem((code, *found.path), found.message) for found in _unknown_lists(own)]
            declared[code] = own
    if problems:
        raise DeclarationError(render_problems(path, document, problems, "the patterns"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:VERSION_HEX_DIGITS]
    return SeriousReader(declared, f"serious-{READING_RULES_VERSION}+{digest}")


def _unknown_lists(declared: PatternsOfLanguage) -> Iterable[Problem]:
    for place, pattern in enumerate(declared.patterns):
        for part in ("phrases", "unless", "unless_beside"):
            for number, phrase in enumerate(getattr(pattern, part)):
                for name in re.findall(r"{(\w*)}", phrase):
                    if name not in declared.lists:
                        known = ", ".join(sorted(declared.lists)) or "none is declared"
                        yield Problem(
                            ("patterns", place, part, number), f"names the list {name!r}; lists: {known}"
                        )


def sentences(text: str) -> list[str]:
    """Return each sentence as ` word word , word `: lower case, hyphens and apostrophes gone, commas kept."""
    plain = APOSTROPHE.sub("", REDACTION_MARK.sub(" redacted ", text).lower())
    cut = SENTENCE_END.sub("\n", plain)
    parts = (WORD_OR_COMMA.findall(part) for part in BREAK.split(cut))
    return [f" {' '.join(found)} " for found in parts if found]


class _Language:
    def __init__(self, declared: PatternsOfLanguage) -> None:
        lists = {name: _listed(words) for name, words in declared.lists.items()}
        self._negations = frozenset(_listed(declared.negations))
        self._void = self._negations | frozenset(_listed(declared.void))
        self._idioms = _compiled(declared.idioms, lists)
        self._patterns = [
            _Compiled(
                pattern.slug,
                pattern.category,
                _required(pattern, lists),
                _compiled(pattern.unless, lists),
                _compiled(pattern.unless_beside, lists),
                pattern.negation == "takes_back",
            )
            for pattern in declared.patterns
        ]

    def found(self, sentence: str) -> Iterable[tuple[SeriousCategory, str]]:
        if self._idioms:
            # Of the same length, so that what stands before and after an idiom stays apart.
            sentence = self._idioms.sub(lambda match: "_ " + " " * (len(match[0]) - 2), sentence)
            sentence = re.sub(" +", " ", sentence)
        for pattern in self._patterns:
            if self._says(sentence, pattern):
                yield pattern.category, pattern.slug

    def _says(self, sentence: str, pattern: _Compiled) -> bool:
        match = pattern.phrases.search(sentence)
        if match is None:
            return False
        if self._standing(pattern.unless_beside, sentence):
            return False
        taken_back = self._standing(pattern.unless, sentence)
        while match:
            start, end = match.span()
            is_negated = pattern.is_taken_back and self._is_negated(sentence, start, self._negations)
            if not is_negated and not any(first < end and start < last for first, last in taken_back):
                return True
            match = pattern.phrases.search(sentence, max(sentence.find(" ", start) + 1, start + 1))
        return False

    def _standing(self, phrases: re.Pattern[str] | None, sentence: str) -> list[tuple[int, int]]:
        """Return where the phrases stand that no negation makes void."""
        if phrases is None:
            return []
        return [
            match.span()
            for match in phrases.finditer(sentence)
            if not self._is_negated(sentence, match.start(), self._void)
        ]

    def _is_negated(self, sentence: str, start: int, negations: frozenset[str]) -> bool:
        before = sentence[:start].split()
        reach = before[-NEGATION_REACH:]
        if "," in reach:
            reach = reach[len(reach) - reach[::-1].index(",") :]
        # "No one" did not do it: that somebody failed to act takes nothing back.
        someone_failed = negations is self._negations
        return any(
            word in negations
            and not (someone_failed and word == "no" and reach[place + 1 : place + 2] in (["one"], ["body"]))
            for place, word in enumerate(reach)
        )


def _required(pattern: Pattern, lists: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    compiled = _compiled(pattern.phrases, lists)
    assert compiled is not None
    return compiled


def _compiled(phrases: Sequence[str], lists: Mapping[str, Sequence[str]]) -> re.Pattern[str] | None:
    if not phrases:
        return None
    return re.compile(f"(?<= )(?:{'|'.join(_expression(phrase, lists) for phrase in phrases)})")


def _expression(phrase: str, lists: Mapping[str, Sequence[str]]) -> str:
    """Return the phrase as a regular expression over words that each have one space behind them."""
    parts = []
    for part in phrase.split():
        if part == "...":
            parts.append(GAP)
            continue
        wanted = part.removesuffix("?")
        words = [
            word
            for option in wanted.split("|")
            for word in (lists[option[1:-1]] if option.startswith("{") else [option])
        ]
        any_of = "|".join(re.escape(word).replace(r"\*", "[^ ]*").replace("_", " ") for word in words)
        parts.append(f"(?:(?:{any_of}) )" + ("?" if part.endswith("?") else ""))
    return "".join(parts)


def _listed(words: Words) -> list[str]:
    return words.split() if isinstance(words, str) else list(words)
