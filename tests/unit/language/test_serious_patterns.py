"""What the written patterns list, what they pass over, and which files of them are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from patient_feedback.errors import DeclarationError
from patient_feedback.language.serious import load_serious_reader, sentences
from patient_feedback.language.serious_nearness import EXAMPLES_FILE

EXAMPLES = yaml.safe_load(EXAMPLES_FILE.read_text(encoding="utf-8"))


def categories(text: str, language: str | None = "en") -> set[str] | None:
    found = load_serious_reader().read(text, language)
    return None if found is None else {str(mention.category) for mention in found}


@pytest.mark.parametrize(
    ("text", "language", "category"),
    [
        ("I have suicidal thoughts most days.", "en", "self_harm"),
        ("Nobody asked me whether I was still having suicidal thoughts.", "en", "self_harm"),
        ("I don’t want to be here anymore", "en", "self_harm"),
        ("Lovely food. I was given the wrong medication twice. Thank you!", "en", "harm"),
        ("The nurse nearly injected me with the wrong drug.", "en", "harm"),
        ("A nurse [PERSON] slapped my mother.", "en", "safeguarding"),
        ("I felt discriminated against because of my disability.", "en", "discrimination"),
        ("Jag vill inte leva längre.", "sv", "self_harm"),
        ("Jag fick fel läkemedel.", "sv", "harm"),
        ("En sköterska slog min pappa.", "sv", "safeguarding"),
        ("Läkaren var rasistisk.", "sv", "discrimination"),
    ],
)
def test_serious_sentence_is_listed_under_its_category(text: str, language: str, category: str) -> None:
    assert category in (categories(text, language) or set())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The wait nearly killed me.", "en"),
        ("I could have killed for a cup of tea.", "en"),
        ("The cakes are to die for.", "en"),
        ("No harm done.", "en"),
        ("The nurse saved my life.", "en"),
        ("I was treated like a king.", "en"),
        ("I was not discriminated against in any way.", "en"),
        ("They asked me whether I had suicidal thoughts, which was handled well.", "en"),
        ("I did not feel suicidal.", "en"),
        ("Blev inte diskriminerad på något vis.", "sv"),
        ("Jag kunde döda för en kopp kaffe.", "sv"),
        ("De frågade om jag hade självmordstankar och lyssnade.", "sv"),
    ],
)
def test_idiom_or_negated_phrase_is_passed_over(text: str, language: str) -> None:
    assert categories(text, language) == set()


def test_negation_of_one_sentence_takes_nothing_back_in_the_next() -> None:
    assert categories("They did not hurt me. I tried to kill myself at home.") == {"self_harm"}


def test_text_of_undetermined_language_is_read_in_every_language_and_another_language_in_none() -> None:
    assert categories("Jag vill dö", None) == {"self_harm"}
    assert categories("I want to die", None) == {"self_harm"}
    assert categories("Haluan kuolla", "fi") is None


def test_basis_names_patterns_and_holds_no_word_of_the_text() -> None:
    [mention] = load_serious_reader().read("Ottoline took an overdose of paracetamol", "en") or []
    assert mention.basis == "overdose"


def test_examples_that_the_patterns_were_written_with_show_each_category() -> None:
    for language, by_kind in EXAMPLES.items():
        for kind, texts in by_kind.items():
            assert len(texts) > 20, (language, kind)
            assert len(texts) == len(set(texts)), (language, kind)


def test_sentence_keeps_commas_and_loses_case_hyphens_and_apostrophes() -> None:
    assert sentences("I don't self-harm, no. But HE…\nYes") == [
        " i dont self harm , no ",
        " but he ",
        " yes ",
    ]


ONE_PATTERN = "en: {negations: not, void: one, patterns: [{slug: a, %s}]}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ONE_PATTERN % "category: other, phrases: [bb], why: because of it", "category"),
        (ONE_PATTERN % "category: harm, phrases: ['{pils} bb'], why: because of it", "pils"),
        (ONE_PATTERN % "category: harm, phrases: [bb]", "why"),
        ("en: [", "no YAML"),
        ("just words", "language"),
    ],
)
def test_file_of_patterns_that_cannot_be_read_is_refused_by_field(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "patterns.yml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DeclarationError, match=message):
        load_serious_reader(path)


def test_changed_file_is_another_version(tmp_path: Path) -> None:
    path = tmp_path / "patterns.yml"
    content = ONE_PATTERN % "category: harm, phrases: [%s], why: because of it"
    path.write_text(content % "bad care", encoding="utf-8")
    first = load_serious_reader(path).version
    other = tmp_path / "other.yml"
    other.write_text(content % "worse care", encoding="utf-8")
    assert load_serious_reader(other).version != first
