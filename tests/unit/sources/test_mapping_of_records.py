"""A delivered record becomes typed candidates as its source declares; nothing delivered can break it."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patient_feedback.contract import AnswerState, DateBasis, FigureState, QuestionIntent, stable_id
from patient_feedback.settings import Settings
from patient_feedback.sources import mapping as mapping_module
from patient_feedback.sources.dates import DateReading, resolve_dates
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.delivered_file import DeliveredRecord
from patient_feedback.sources.mapping import MappedRecord, date_fact, map_record

FFT = {"column": "rating", "instrument": "fft", "version": "2020", "item": "overall_experience"}
FFT |= {"codes": {"1": 1, "2": 2, "5": 5, "6": None}, "missing": ["-"], "not_applicable": ["n/a"]}


def mapped(source: Source, payload: dict[str, Any], defects: tuple[str, ...] = ()) -> MappedRecord:
    return map_record(DeliveredRecord(1, payload, defects), source, lambda ref: f"hash of {ref}")


def answer(declare: Any, value: Any, **changes: Any) -> tuple[Any, ...]:
    rating = {name: part for name, part in (FFT | changes).items() if part is not None}
    (only,) = mapped(declare({"rating": rating}), {"id": "1", "rating": value}).answers
    return only.value_code, only.value_number, only.answer_state, only.is_documented


def comment(declare: Any, text: Any, **changes: Any) -> Any:
    declared = {"column": "comment", "question": {"slug": "said", "intent": "open"}} | changes
    return mapped(declare({"comments": [declared]}), {"id": "1", "comment": text}).comments[0]


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("1", ("1", 1.0, AnswerState.ANSWERED, True)),
        (" 5.0 ", ("5", 5.0, AnswerState.ANSWERED, True)),
        (2, ("2", 2.0, AnswerState.ANSWERED, True)),
        ("6", ("6", None, AnswerState.ANSWERED, True)),
        ("7", ("7", None, AnswerState.ANSWERED, False)),
        ("", (None, None, AnswerState.MISSING, True)),
        (None, (None, None, AnswerState.MISSING, True)),
        ("-", (None, None, AnswerState.MISSING, True)),
        ("N/A", (None, None, AnswerState.NOT_APPLICABLE, True)),
        ("#REF!", (None, None, AnswerState.MISSING, True)),
    ],
)
def test_answer_by_codes_is_read_with_its_state(
    declare: Any, delivered: Any, expected: tuple[Any, ...]
) -> None:
    assert answer(declare, delivered) == expected


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("7,5", ("7,5", 7.5, AnswerState.ANSWERED, True)),
        (0, ("0", 0.0, AnswerState.ANSWERED, True)),
        ("11", ("11", None, AnswerState.ANSWERED, False)),
        ("many", ("many", None, AnswerState.ANSWERED, False)),
        ("nan", ("nan", None, AnswerState.ANSWERED, False)),
    ],
)
def test_answer_by_number_must_lie_in_its_range(
    declare: Any, delivered: Any, expected: tuple[Any, ...]
) -> None:
    assert answer(declare, delivered, codes=None, number={"min": 0, "max": 10}) == expected


def test_wording_of_an_answer_is_matched_apart_from_case_and_space(declare: Any) -> None:
    expected = ("Very good", 1.0, AnswerState.ANSWERED, True)
    assert answer(declare, "very\u00a0 GOOD\n", codes={"Very good": 1}) == expected


def test_questionnaire_row_gives_every_answer_and_both_comments(declare: Any) -> None:
    closed = {"instrument": "collaborate", "version": "2013", "number": {"min": 0, "max": 9}}
    source = declare(
        {
            "rating": FFT,
            "answers": [closed | {"column": f"q{n}", "item": f"item_{n}"} for n in (1, 2, 3)],
            "comments": [
                {"column": "good", "question": {"slug": "good", "intent": "what_was_good"}},
                {
                    "column": "bad",
                    "question": {"slug": "bad", "intent": "what_to_improve"},
                    "blank": ["Nothing"],
                },
            ],
        }
    )
    row = mapped(
        source, {"id": "r1", "rating": "2", "q1": 9, "q2": "", "q3": 4.5, "good": "Kind", "bad": "NOTHING"}
    )
    assert [each.value_number for each in row.answers] == [2.0, 9.0, None, 4.5]
    assert [(each.question_slug, each.question_intent, each.is_blank) for each in row.comments] == [
        ("good", QuestionIntent.WHAT_WAS_GOOD, False),
        ("bad", QuestionIntent.WHAT_TO_IMPROVE, True),
    ]


def test_ids_derive_from_the_sources_own_references(declare: Any) -> None:
    source = declare({"response_ref": "respondent", "respondent_ref": "respondent"})
    row = mapped(source, {"id": " c1 ", "respondent": "r9", "comment": "kind"})
    response_id = stable_id("ward_survey", "r9")
    assert (row.source_record_ref, row.response_ref, row.response_id) == ("c1", "hash of r9", response_id)
    assert row.comments[0].comment_id == stable_id(response_id, "what_was_good")
    assert row.respondent_id == "hash of r9"
    alone = mapped(source, {"id": "c2", "respondent": "", "comment": "kind"})
    assert (alone.response_ref, alone.respondent_id) == ("c2", None)


@pytest.mark.parametrize("delivered", [None, "", " ", "#N/A"])
def test_record_without_reference_keeps_its_text_but_has_no_ids(declare: Any, delivered: Any) -> None:
    row = mapped(declare(), {"id": delivered, "comment": "kind"})
    assert (row.source_record_ref, row.response_id, row.comments[0].comment_id) == (None, None, None)
    assert row.comments[0].comment_text == "kind"


def test_line_that_could_not_be_read_maps_to_a_record_without_content(declare: Any) -> None:
    source = declare({"rating": FFT})
    row = mapped(source, {"__line__": '1,"never closed'}, ("unreadable_line",))
    assert (row.response_id, row.answers, row.comments) == (None, (), ())
    other = mapped(source, {"__line__": '2,"never closed'}, ("unreadable_line",))
    assert row.content_sha256 != other.content_sha256


PLACES = {"Ward 7": {"slug": "ward_seven", "name": "Ward 7"}}


@pytest.mark.parametrize(
    ("delivered", "place", "is_untidy", "unmapped"),
    [
        ("Ward 7", ("ward_seven", "Ward 7"), False, ()),
        ("ward\u00a07", ("ward_seven", "Ward 7"), True, ()),
        ("Ward  7", ("ward_seven", "Ward 7"), True, ()),
        ("Ward 8 & 9", ("ward_8_and_9", "Ward 8 & 9"), False, ("service",)),
        ("Unknown", (None, None), False, ()),
        ("", (None, None), False, ()),
        ("#VALUE!", (None, None), False, ()),
    ],
)
def test_place_gets_its_declared_slug_or_one_of_its_own(
    declare: Any, delivered: str, place: tuple[str | None, ...], is_untidy: bool, unmapped: tuple[str, ...]
) -> None:
    source = declare({"service": {"column": "service", "values": PLACES, "missing": ["unknown"]}})
    row = mapped(source, {"id": "1", "service": delivered})
    assert (row.service, row.has_untidy_space, row.unmapped_fields) == (place, is_untidy, unmapped)
    assert row.has_formula_error == (delivered == "#VALUE!")


def test_place_without_declared_values_is_no_unmapped_field(declare: Any) -> None:
    source = declare(
        {"service": {"column": "service"}, "organisation": {"constant": {"slug": "trust", "name": "T"}}}
    )
    row = mapped(source, {"id": "1", "service": "Överläkare Mottagning"})
    assert (row.service, row.organisation) == (
        ("overlakare_mottagning", "Överläkare Mottagning"),
        ("trust", "T"),
    )
    assert row.unmapped_fields == ()


@pytest.mark.parametrize(
    "names",
    [
        ("111", "999"),
        ("患者", "医院"),
        ("病棟 2", "外来 2"),
        ("Παθολογική 1", "Χειρουργική 1"),
        ("Отделение 3", "Палата 3"),
        ("Søndre 4", "Sndre 4"),
        ("A" * 60 + "x", "A" * 60 + "y"),
        ("?", "!"),
    ],
)
def test_names_that_differ_never_share_a_slug_and_slugs_are_valid(
    declare: Any, names: tuple[str, str]
) -> None:
    source = declare({"service": {"column": "service"}})
    slugs = [mapped(source, {"id": "1", "service": name}).service[0] for name in names]
    assert slugs[0] != slugs[1]
    for slug in slugs:
        assert re.fullmatch(r"[a-z][a-z0-9_]{1,47}", slug)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Akutmottagning Östersund", "akutmottagning_ostersund"),
        ("Søndre Sjukehus", "sondre_sjukehus"),
        ("Straße 5", "strasse_5"),
        ("Łódź", "lodz"),
        ("Clinique de l'Œil", "clinique_de_l_oeil"),
    ],
)
def test_european_name_gives_a_slug_that_can_be_read(declare: Any, name: str, slug: str) -> None:
    source = declare({"service": {"column": "service"}})
    assert mapped(source, {"id": "1", "service": name}).service == (slug, name)


ATTRIBUTES = {
    "age_band": {"column": "age", "values": {"25-34": "25-34", "Prefer not to say": None}},
    "sex": {"column": "sex"},
    "deprivation_quintile": {"column": "decile", "values": {"1": 1, "2": 1, "10": 5}},
    "preferred_language": {"column": "language", "values": {"Somali": "so"}},
    "has_disability": {"column": "disability"},
    "language_code": {"column": "lang"},
}


def test_attributes_are_typed_and_undeclared_values_are_named_not_kept(declare: Any) -> None:
    source = declare({"attributes": ATTRIBUTES})
    row = mapped(
        source,
        {
            "id": "1",
            "age": "25-34",
            "sex": "F",
            "decile": 10,
            "language": "somali",
            "disability": "No",
            "lang": "en-GB",
        },
    )
    assert row.attributes == {
        "age_band": "25-34",
        "sex": "F",
        "deprivation_quintile": 5,
        "preferred_language": "so",
        "has_disability": False,
        "language_code": "en",
    }
    assert row.unmapped_fields == ()
    row = mapped(
        source,
        {
            "id": "1",
            "age": "old",
            "sex": "",
            "decile": "11",
            "language": "Klingon",
            "disability": "?",
            "lang": "1",
        },
    )
    assert set(row.attributes.values()) == {None}
    assert set(row.unmapped_fields) == set(ATTRIBUTES) - {"sex"}
    row = mapped(source, {"id": "1", "age": "prefer NOT to say"})
    assert (row.attributes["age_band"], row.unmapped_fields) == (None, ())


SUBJECTS = {
    "column": "subject",
    "split": ";",
    "values": {
        "Waiting times": {"slug": "waiting", "name": "Waiting"},
        "Delays": {"slug": "waiting", "name": "Waiting"},
        "Food": {"slug": "food", "name": "Food and drink"},
    },
    "missing": ["none"],
}
FOOD, WAITING = ("food", "Food and drink"), ("waiting", "Waiting")


@pytest.mark.parametrize(
    ("delivered", "subjects", "unmapped"),
    [
        ("Food; Waiting times", (FOOD, WAITING), ()),
        ("waiting\u00a0 TIMES;food ;", (WAITING, FOOD), ()),
        ("Delays; Food; Waiting times", (WAITING, FOOD), ()),
        (
            "Food; Car  parks; Staff & tone",
            (FOOD, ("car_parks", "Car parks"), ("staff_and_tone", "Staff & tone")),
            ("subjects",),
        ),
        (["Food", "Staff; tone", "", None], (FOOD, ("staff_tone", "Staff; tone")), ("subjects",)),
        ("None; Food", (FOOD,), ()),
        (" ; \u200b;", (), ()),
        ("#REF!", (), ()),
        ([], (), ()),
        (None, (), ()),
    ],
)
def test_complaint_names_each_of_its_subjects_once(
    declare: Any, delivered: Any, subjects: tuple[tuple[str, str], ...], unmapped: tuple[str, ...]
) -> None:
    row = mapped(declare({"subjects": SUBJECTS}), {"id": "1", "subject": delivered})
    assert (row.subjects, row.unmapped_fields) == (subjects, unmapped)
    assert [subject[-2:] for subject in row.subject_rows("d")] == list(subjects)


def test_cell_that_is_not_split_is_one_subject_and_without_values_none_is_unmapped(declare: Any) -> None:
    row = mapped(declare({"subjects": {"column": "subject"}}), {"id": "1", "subject": "Food; drink"})
    assert (row.subjects, row.unmapped_fields) == ((("food_drink", "Food; drink"),), ())
    assert mapped(declare(), {"id": "1", "subject": "Food"}).subjects == ()


def test_metadata_in_one_cell_are_kept_as_a_list(declare: Any) -> None:
    source = declare({"metadata": {"tags": {"column": "subject", "split": ";"}, "handler": "handler"}})
    row = mapped(source, {"id": "1", "subject": "Communication; Waiting ;", "handler": "Ward"})
    assert row.metadata == {"tags": ["Communication", "Waiting"], "handler": "Ward"}
    assert mapped(source, {"id": "1", "subject": "", "handler": None}).metadata == {}
    assert mapped(source, {"id": "1", "handler": ["a", {"b": 1}]}).metadata == {"handler": ["a", {"b": 1}]}


def test_withdrawn_and_version_are_read(declare: Any) -> None:
    source = declare(
        {"withdrawn": {"column": "status", "values": ["withdrawn"]}, "record_version": "version"}
    )
    row = mapped(source, {"id": "1", "status": "WITHDRAWN", "version": 3})
    assert (row.is_withdrawn, row.record_version) == (True, 3)
    row = mapped(source, {"id": "1", "status": "open", "version": "third"})
    assert (row.is_withdrawn, row.record_version, row.unmapped_fields) == (False, None, ("record_version",))


QUESTION = {
    "column": "question",
    "values": {"What was\ngood?": {"slug": "what_was_good", "intent": "what_was_good"}},
}


def test_question_is_matched_over_a_line_break_and_an_undeclared_one_stays_open(declare: Any) -> None:
    source = declare({"comments": [{"column": "comment", "question": QUESTION}]})

    def question(text: str | None) -> tuple[Any, ...]:
        (only,) = mapped(source, {"id": "1", "question": text, "comment": "kind"}).comments
        return only.question_slug, only.question_intent, only.is_question_declared

    assert question("What was \ngood?") == ("what_was_good", QuestionIntent.WHAT_WAS_GOOD, True)
    assert question("Anything else?") == ("anything_else", QuestionIntent.OPEN, False)
    assert question(None) == ("unnamed_question", QuestionIntent.OPEN, False)


@pytest.mark.parametrize("text", ["", " \n", "\u00a0\u200b", None, "did  NOT answer", "#NAME?"])
def test_comment_that_says_nothing_is_blank(declare: Any, text: Any) -> None:
    assert comment(declare, text, blank=["Did not answer"]).is_blank


@pytest.mark.parametrize("text", ["Nothing.", "Did not answer the phone", "0", "."])
def test_comment_that_says_little_is_not_blank(declare: Any, text: str) -> None:
    assert not comment(declare, text, blank=["Did not answer"]).is_blank


def test_comment_keeps_its_original_text(declare: Any) -> None:
    original = "  It's <b>great</b>\r\n\t– 'DROP TABLE \u00a0"
    assert comment(declare, original).comment_text == original


@pytest.mark.parametrize(
    ("flag", "texts"),
    [
        ("has_markup", ["<b>good</b>", "x <script src=a>", "<!-- note -->", "a<br/>b"]),
        (
            "has_formula_start",
            ["=1+1", '=HYPERLINK("x")', "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|x", "\t=A1"],
        ),
        ("has_control_character", ["bell\x07", "it\x92s"]),
    ],
)
def test_text_that_harms_an_export_or_a_page_is_flagged(declare: Any, flag: str, texts: list[str]) -> None:
    assert [text for text in texts if not getattr(comment(declare, text), flag)] == []


def test_ordinary_text_is_not_flagged(declare: Any) -> None:
    ordinary = [
        "- friendly staff", "-Friendly, kind!", "+ very good", "+1 to all of it", "@reception: thank you",
        "=) thanks", "waited < 5 minutes", "I <3 the nurses", "5 > 3", "a\nb\tc\r\n", "-10/10", "",
    ]  # fmt: skip
    for text in ordinary:
        found = comment(declare, text)
        flags = (found.has_markup, found.has_formula_start, found.has_control_character)
        assert flags == (False, False, False), text


def test_new_column_that_nobody_reads_makes_no_new_content(declare: Any) -> None:
    source = declare({"rating": FFT})
    content = {"id": "1", "rating": "2", "comment": "kind"}
    first = mapped(source, content).content_sha256
    assert mapped(source, content | {"new": "x", "empty": ""}).content_sha256 == first
    assert mapped(source, content | {"rating": 2}).content_sha256 == first
    assert mapped(source, content | {"comment": "kind "}).content_sha256 != first
    assert mapped(source, content | {"rating": "3"}).content_sha256 != first


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
    st.sampled_from(["#REF!", "03/10/2021", "1", "Did not answer"]),
)
EVERY_COLUMN = [
    "id", "respondent", "date", "service", "rating", "score", "question", "comment", "age", "sex", "decile",
    "language", "disability", "lang", "subject", "status", "version",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(payload=st.dictionaries(st.sampled_from(EVERY_COLUMN), values))
def test_whatever_is_delivered_is_mapped_and_its_date_fact_is_the_same_alone(
    declare_everything: Source, payload: dict[str, Any]
) -> None:
    row = mapped(declare_everything, payload)
    assert date_fact(DeliveredRecord(1, payload), declare_everything) == row.date_fact
    assert len(row.answers) == 2
    assert (row.response_id is None) == (row.source_record_ref is None)
    json.loads(row.response_row("d", DateReading(None, None, DateBasis.UNREADABLE))[-1])


@pytest.fixture(scope="session")
def declare_everything(declare: Any) -> Source:
    return declare(
        {
            "respondent_ref": "respondent",
            "response_ref": "respondent",
            "record_version": "version",
            "submitted_on": {"column": "date", "formats": ["%d/%m/%Y"], "sequence": {"column": "respondent"}},
            "service": {"column": "service", "values": PLACES},
            "channel": {"constant": "sms"},
            "rating": FFT,
            "answers": [
                {
                    "column": "score",
                    "instrument": "nps",
                    "version": "1",
                    "item": "recommend",
                    "number": {"min": 0, "max": 10},
                }
            ],
            "comments": [{"column": "comment", "question": QUESTION}],
            "attributes": ATTRIBUTES,
            "metadata": {"tags": {"column": "subject", "split": ";"}},
            "subjects": {"column": "subject", "split": ";"},
            "withdrawn": {"column": "status", "values": ["withdrawn"]},
        }
    )


def test_rows_fit_the_candidate_tables(warehouse: Settings, declare_everything: Source) -> None:
    payload = dict.fromkeys(EVERY_COLUMN, "1") | {"question": "Why?", "comment": "Kind", "subject": "a;b"}
    row = mapped(declare_everything, payload)
    reading = DateReading(None, None, DateBasis.UNREADABLE)
    rows = {
        "record": [row.record_row("d")],
        "response": [row.response_row("d", reading)],
        "answer": list(row.answer_rows("d")),
        "comment": list(row.comment_rows("d")),
        "subject": list(row.subject_rows("d")),
    }
    with psycopg.connect(warehouse.dsn()) as connection:
        for name, table_rows in rows.items():
            columns = getattr(mapping_module, f"CANDIDATE_{name.upper()}_COLUMNS")
            with (
                connection.cursor() as cursor,
                cursor.copy(f"copy landing.candidate_{name} ({', '.join(columns)}) from stdin") as copy,
            ):
                for table_row in table_rows:
                    copy.write_row(table_row)
        assert connection.execute(
            "select respondent_id, channel_slug, deprivation_quintile, has_disability, source_metadata "
            "from landing.candidate_response"
        ).fetchall() == [("hash of 1", "sms", 1, True, {"tags": ["a", "b"]})]
        assert connection.execute(
            "select question_slug, comment_length from landing.candidate_comment"
        ).fetchall() == [("why", 4)]
        assert connection.execute("select count(*) from landing.candidate_answer").fetchone() == (2,)
        assert connection.execute("select count(*) from landing.candidate_subject").fetchone() == (2,)


FIGURES = {
    "period": {"first": {"column": "from", "formats": ["%Y-%m-%d", "%d/%m/%Y"]}},
    "figures": [
        {"column": "share", "measure": "positive", "unit": "percent", "respondents_column": "n", "suppressed": ["*"],
         "not_applicable": ["n/a"], "missing": ["-"]},
        {"column": "value", "measure_column": "what", "unit_column": "unit"},
    ],
}  # fmt: skip
PUBLISHED, SUPPRESSED = FigureState.PUBLISHED, FigureState.SUPPRESSED
NOT_APPLICABLE, NOT_AVAILABLE = FigureState.NOT_APPLICABLE, FigureState.NOT_AVAILABLE


def published(declare: Any, **payload: Any) -> MappedRecord:
    return mapped(declare(FIGURES | {"comments": []}), {"id": "1", **payload})


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("90", (90.0, PUBLISHED, True)),
        (" 90.5 % ", (90.5, PUBLISHED, True)),
        ("90,5", (90.5, PUBLISHED, True)),
        (0, (0.0, PUBLISHED, True)),
        ("*", (None, SUPPRESSED, True)),
        (" N/A ", (None, NOT_APPLICABLE, True)),
        ("-", (None, NOT_AVAILABLE, True)),
        (None, (None, NOT_AVAILABLE, True)),
        ("  ", (None, NOT_AVAILABLE, True)),
        ("<5", (None, PUBLISHED, False)),
        ("#DIV/0!", (None, PUBLISHED, False)),
        ("nan", (None, PUBLISHED, False)),
        ("1e400", (None, PUBLISHED, False)),
        (["90"], (90.0, PUBLISHED, True)),
    ],
)
def test_published_number_is_read_with_its_state(
    declare: Any, delivered: Any, expected: tuple[Any, ...]
) -> None:
    figure = published(declare, share=delivered).figures[0]
    assert (figure.value_number, figure.figure_state, figure.is_documented) == expected


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("1,234", (1234, None)),
        ("12,345,678", (12_345_678, None)),
        (30.0, (30, None)),
        ("FEWER THAN 50", (None, "FEWER THAN 50")),
        ("-4", (None, "-4")),
        ("-", (None, None)),
        (None, (None, None)),
    ],
)
def test_respondents_are_a_count_or_a_band(declare: Any, delivered: Any, expected: tuple[Any, ...]) -> None:
    figure = published(declare, share="90", n=delivered).figures[0]
    assert (figure.respondent_count, figure.respondent_band) == expected


def test_measure_and_unit_of_a_row_are_what_its_columns_say(declare: Any) -> None:
    named = published(declare, value="4", what="H_STAR_RATING", unit="Stars").figures[1]
    assert (named.measure_slug, named.unit, named.value_number, named.is_documented) == (
        "h_star_rating", "stars", 4.0, True,
    )  # fmt: skip
    unnamed = published(declare, value="4", unit="stars").figures[1]
    assert (unnamed.measure_slug, unnamed.is_documented) == ("unnamed_measure", False)
    unknown = published(declare, value="4", what="x1", unit="furlongs").figures[1]
    assert (unknown.unit, unknown.is_documented) == (None, False)


def test_measure_that_comes_twice_in_a_record_is_kept_apart_and_flagged(declare: Any) -> None:
    row = published(declare, share="90", what="Positive", value="91", unit="percent")
    assert [(figure.measure_slug, figure.is_documented) for figure in row.figures] == [
        ("positive", True),
        ("positive_again", False),
    ]


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ("2024-02-01", ("2024-02-01", "2024-02-29")),
        ("01/12/2025", ("2025-12-01", "2025-12-31")),
        ("December", (None, None)),
        (None, (None, None)),
    ],
)
def test_period_without_an_end_is_the_month_it_begins_in(
    declare: Any, given: Any, days: tuple[Any, ...]
) -> None:
    period = published(declare, **{"from": given}).period
    assert tuple(day and str(day) for day in period) == days


def test_record_of_figures_is_nobodys_response(declare: Any) -> None:
    row = published(declare, share="90")
    assert (row.source_record_ref, row.response_id, row.answers, row.comments) == ("1", None, (), ())


@pytest.mark.parametrize(("ref", "number"), [("R-12", 12), ("R-20250101123456789012", None), ("R", None)])
def test_sequence_number_that_no_column_holds_is_none(declare: Any, ref: str, number: int | None) -> None:
    sequence = {"column": "respondent"}
    source = declare({"submitted_on": {"column": "date", "formats": ["%d/%m/%Y"], "sequence": sequence}})
    fact = mapped(source, {"id": "1", "date": "28/02/2026", "respondent": ref}).date_fact
    assert fact.sequence_number == number
    resolve_dates(lambda: [fact], source)(fact)
