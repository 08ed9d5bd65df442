"""What `patient-feedback train` says of a file that it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from patient_feedback.errors import FeedbackError
from patient_feedback.language.labelled import read_labelled

HEADER = "FFT answer,FFT question,Comment sentiment,Not assigned,Parking\n"


def test_row_that_is_shifted_is_named_without_its_words(tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.csv"
    labelled.write_text(HEADER + "Good,Why?,1,,1\nfood,Why?,the nurse Priya was rude,,\n", encoding="utf-8")
    with pytest.raises(FeedbackError, match=r"Row 2 .* Comment sentiment") as raised:
        read_labelled(labelled)
    assert "Priya" not in str(raised.value)
    assert raised.value.__context__ is None


def test_short_row_has_no_labels(tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.csv"
    labelled.write_text(HEADER + "Good\n", encoding="utf-8")
    comments = read_labelled(labelled)
    assert comments.levels.tolist() == [-1]
    assert comments.intents == ("open",)
