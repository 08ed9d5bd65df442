"""A small labelled file of made-up comments, for the quick mode; no real words of anyone."""

from __future__ import annotations

import csv
import random
from pathlib import Path

TRUSTS = ("North", "South")
QUESTIONS = ("FFT Why?", "What was good?", "How could we improve?")
SUBJECTS = {
    "Timeliness of care": ("waiting time", "queue", "delay before my appointment", "hours in the corridor"),
    "Food & drink provision & facilities": ("hospital meals", "soup", "breakfast trolley", "cup of tea"),
    "Staff manner & personal attributes": ("nurse", "receptionist", "doctor on the ward", "ambulance crew"),
    "Environment & Facilities": ("car park", "ward decoration", "bathroom", "waiting room chairs"),
}
VERDICTS = {
    1: ("was wonderful", "was excellent and kind", "could not have been better"),
    2: ("was good", "was fine and pleasant", "worked well"),
    3: ("was average", "was neither good nor bad", "was all right"),
    4: ("was poor", "was rather disappointing", "needs improvement"),
    5: ("was dreadful", "was appalling and rude", "was the worst I have known"),
}
PLACES = (
    "on Monday",
    "on the ward",
    "in the clinic",
    "at night",
    "for my mother",
    "after surgery",
    "at the desk",
)


def write_generated(path: Path, count: int = 240, seed: int = 1) -> Path:
    """Write `count` comments in the format of the published file; labels follow from the words."""
    draw = random.Random(seed)
    columns = [
        "Trust",
        "FFT categorical answer",
        "FFT question",
        "FFT answer",
        "Comment sentiment",
        "Not assigned",
        *SUBJECTS,
    ]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        for number in range(count):
            subject, level = draw.choice(list(SUBJECTS)), 1 + number % 5
            thing, verdict = draw.choice(SUBJECTS[subject]), draw.choice(VERDICTS[level])
            row = dict.fromkeys(columns, "0") | {
                "Trust": draw.choice(TRUSTS),
                "FFT categorical answer": str(level),
                "FFT question": draw.choice(QUESTIONS),
                "FFT answer": f"The {thing} {verdict} {draw.choice(PLACES)}",
                "Comment sentiment": str(level),
                subject: "1",
            }
            writer.writerow(row)
        writer.writerow(dict.fromkeys(columns, "0") | {"Trust": TRUSTS[0], "FFT answer": "Did not answer"})
    return path
