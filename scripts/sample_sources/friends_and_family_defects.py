"""What goes wrong in Friends and Family files, planted in known numbers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sample_sources.planting import PlantedDefect, Planting

Row = dict[str, str]
Files = dict[str, list[Row]]
UNTIDY_SERVICE = "Community\N{NO-BREAK SPACE}Nursing"


def plant_defects(random: Random, files: Files, planting: Planting, source_slug: str) -> None:
    """Change rows of `files` in place, and note each change."""
    Planter(random, files, planting, source_slug).plant_all()


class Planter:
    """Plants each defect in rows that bear no other, so that each row has one reason."""

    def __init__(self, random: Random, files: Files, planting: Planting, source_slug: str) -> None:
        self.random, self.files, self.planting, self.source_slug = random, files, planting, source_slug
        self.taken: set[str] = set()
        self.noted: list[tuple[str, Row, str]] = []

    def plant_all(self) -> None:
        self._change_respondents("undocumented_rating", 7, "", {"FFT answer": "7"})
        self._plant_month_first_dates()
        self._plant_swapped_dates()
        self._change_respondents(
            "no_break_space_in_service", 5, "Community Nursing", {"Service": UNTIDY_SERVICE}
        )
        self._plant_doubtful_dates()
        self._change_respondents("future_date", 1, "", {"Date": "14/03/2062"})
        self._change_respondents("unreadable_date", 1, "", {"Date": "31/06/2025"})
        self._change_respondents("unreadable_date", 1, "", {"Date": "see card"})
        self._change_respondents("spreadsheet_error", 2, "", {"Team": "#N/A"})
        self._change_respondents("unknown_attribute_value", 2, "", {"IMD quintile": "11"})
        self._change_rows("rating_differs_within_response", 2, {"FFT answer": "5"}, _is_very_good)
        self._change_rows(
            "question_spelling_variant", 4, {"Question": "What could we have done\nbetter?"}, _is_second
        )
        self._change_rows(
            "undeclared_question",
            2,
            {"Question": "Is there anything else you would like to tell us?"},
            _is_second,
        )
        self._change_rows("missing_record_ref", 1, {"Comment ID": ""}, _is_any)
        for comment in HTML_COMMENTS:
            self._change_rows("markup_in_comment", 1, {"Comment": comment}, _is_replaceable)
        for comment in FORMULA_COMMENTS:
            self._change_rows("formula_in_comment", 1, {"Comment": comment}, _is_replaceable)
        self._change_rows("sql_in_comment", 1, {"Comment": SQL_COMMENT}, _is_replaceable)
        self._change_rows("control_character_in_comment", 1, {"Comment": CONTROL_COMMENT}, _is_replaceable)
        for comment in DAMAGED_COMMENTS:
            self._change_rows("damaged_encoding_in_comment", 1, {"Comment": comment}, _is_replaceable)
        self._change_rows("spreadsheet_error_in_comment", 1, {"Comment": "#NAME?"}, _is_replaceable)
        self._plant_surplus_cell()
        self._plant_short_row()
        self._repeat_rows()
        self._note()

    def _untaken(self, suits: Callable[[Row], bool]) -> list[tuple[str, Row]]:
        return [
            (name, row)
            for name, rows in self.files.items()
            for row in rows
            if row["Respondent ID"] not in self.taken and row["Comment ID"] and suits(row)
        ]

    def _pick(self, suits: Callable[[Row], bool]) -> tuple[str, Row]:
        untaken = self._untaken(suits)
        if not untaken:
            raise ValueError("No row is left that suits a defect: add comments to the bank, or change SEED.")
        name, row = self.random.choice(untaken)
        self.taken.add(row["Respondent ID"])
        return name, row

    def _rows_of(self, name: str, respondent: str) -> list[Row]:
        return [row for row in self.files[name] if row["Respondent ID"] == respondent]

    def _change_respondents(self, defect: str, count: int, service: str, change: Row) -> None:
        for _ in range(count):
            name, picked = self._pick(lambda row: not service or row["Service"] == service)
            for row in self._rows_of(name, picked["Respondent ID"]):
                row.update(change)
                self.noted.append((name, row, defect))

    def _change_rows(self, defect: str, count: int, change: Row, suits: Callable[[Row], bool]) -> None:
        for _ in range(count):
            name, row = self._pick(suits)
            row.update(change)
            self.noted.append((name, row, defect))

    def _plant_month_first_dates(self) -> None:
        """One service's export wrote the month first in late 2025; these dates have no other reading."""
        for _ in range(6):
            name, picked = self._pick(
                lambda row: row["Service"] == "Outpatients" and row["Date"].endswith("/2025")
                and int(row["Date"][:2]) > 12 and int(row["Date"][3:5]) >= 7
            )  # fmt: skip
            for row in self._rows_of(name, picked["Respondent ID"]):
                row["Date"] = _month_first(row["Date"])
                self.noted.append((name, row, "month_first_date"))

    def _plant_swapped_dates(self) -> None:
        """The two rows of one respondent bear the same date with day and month swapped; both are valid."""
        for _ in range(5):
            name, picked = self._pick(
                lambda row: (
                    row["Service"] == "Maternity"
                    and int(row["Date"][:2]) <= 12
                    and row["Date"][:2] != row["Date"][3:5]
                )
            )
            first, second = self._rows_of(name, picked["Respondent ID"])
            second["Date"] = _month_first(second["Date"])
            self.noted += [(name, first, "day_and_month_swapped"), (name, second, "day_and_month_swapped")]

    def _plant_doubtful_dates(self) -> None:
        """Both rows bear the month first, and the date also reads day first: only the neighbours tell."""
        for _ in range(2):
            name, picked = self._pick(
                lambda row: row["Date"].endswith("/2025")
                and int(row["Date"][:2]) <= 9 and int(row["Date"][3:5]) >= 11
            )  # fmt: skip
            for row in self._rows_of(name, picked["Respondent ID"]):
                row["Date"] = _month_first(row["Date"])
                self.noted.append((name, row, "month_first_date_that_reads_both_ways"))

    def _plant_surplus_cell(self) -> None:
        """A comma that was not quoted cut the comment in two, so every later cell moved one to the right."""
        for begin, rest in (("Good nurses", " shame about the wait"), ("Clean", " tidy and on time")):
            name, row = self._pick(lambda row: _is_replaceable(row) and row["Disability"] != "")
            row.update({"Comment": begin, "surplus": rest})
            self.noted.append((name, row, "row_too_wide"))

    def _plant_short_row(self) -> None:
        name, row = self._pick(_is_replaceable)
        del row["Disability"], row["IMD quintile"]
        self.noted.append((name, row, "row_too_narrow"))

    def _repeat_rows(self) -> None:
        names = sorted(self.files)
        for _ in range(3):
            name, row = self._pick(_is_any)
            self._append(name, dict(row), "duplicate_row")
        for _ in range(2):
            name, row = self._pick(lambda row: not row["Date"].endswith("2026"))
            self._append(names[names.index(name) + 1], dict(row), "repeated_in_later_file")
        name, row = self._pick(_is_replaceable)
        conflicting = dict(row) | {"Comment": "Sorry, wrong card, please ignore the other one"}
        self.noted.append((name, row, "same_ref_other_content"))
        self._append(name, conflicting, "same_ref_other_content")

    def _append(self, name: str, row: Row, defect: str) -> None:
        self.files[name].append(row)
        self.noted.append((name, row, defect))

    def _note(self) -> None:
        for name, noted, defect in self.noted:
            number = next(number for number, row in enumerate(self.files[name], start=1) if row is noted)
            self.planting.defects.append(
                PlantedDefect(self.source_slug, name, number, noted["Comment ID"], defect)
            )


SQL_COMMENT = "Robert'); DROP TABLE patients;-- (my grandson says hello)"
CONTROL_COMMENT = "Kind nurses\x0band a warm room"
HTML_COMMENTS = (
    "<p>Staff were <b>brilliant</b>, thank you</p>",
    "Website kept saying <br/> instead of a new line <br/> but I got there in the end",
    "<script>alert('hello')</script> nice try from my teenager, sorry",
)
DAMAGED_COMMENTS = (
    "Couldn\u00e2\u20ac\u2122t have asked for a kinder nurse",
    "The caf\u00c3\u00a9 is too dear for pensioners",
)
FORMULA_COMMENTS = (
    '=HYPERLINK("https://example.org/claim";"Click for my photos of the ward")',
    "@SUM(A1:A9) sorry, my cat walked over the keyboard",
    "=2+2 is more than your triage adds up to",
)


REPLACEABLE = frozenset(
    ("", "did not answer", "nothing", "very good", "good", "no", "none", "excellent", "all good")
)


def _is_replaceable(row: Row) -> bool:
    """True where the comment is one that many give, so that no hand-written one is lost."""
    return row["Comment"].strip().lower() in REPLACEABLE


def _is_any(_: Row) -> bool:
    return True


def _is_second(row: Row) -> bool:
    return row["Comment ID"].endswith("Q2")


def _is_very_good(row: Row) -> bool:
    return row["FFT answer"] == "1"


def _month_first(text: str) -> str:
    return "/".join((text[3:5], text[:2], text[6:]))
