"""Which columns a source seems to have renamed in some of its records: read as none, they would take words away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from patient_feedback.sources.columns import is_marked_withdrawn
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.field_mapping import AnswerField
from patient_feedback.sources.spelling import loose_key

MOST_SHAPES = 1_000
"""So many sets of keys are remembered."""


@dataclass(slots=True)
class Renaming:
    """What the records of one delivery bear, whose keys may differ from record to record.

    A column of words or answers seems renamed where a record that lacks it bears an unknown key with a value that may
    be its own, and no record bears both. So records that leave out what is empty are none the less accepted.
    """

    source: Source
    _watched: dict[str, Callable[[Any], bool]] = field(init=False)
    """What tells whether a value may be one of the column; a column that is optional is not watched."""
    _mapped: frozenset[str] = field(init=False)
    _whole: set[tuple[str, ...]] = field(default_factory=set, init=False)
    """Keys of records that lack nothing: of another one with the same keys there is nothing to note."""
    _instead: dict[str, set[str]] = field(default_factory=dict, init=False)
    """Of each unknown key the columns that a record lacks and whose value it may be."""
    _beside: dict[str, set[str]] = field(default_factory=dict, init=False)
    """Of each unknown key the columns that a record bears beside it."""

    def __post_init__(self) -> None:
        mapping = self.source.mapping
        watched = {one.column: partial(_may_answer, one) for one in mapping.all_answers} | {
            one.column: _may_be_words for one in mapping.comments
        }
        self._mapped = frozenset(mapping.columns)
        self._watched = {column: may_be for column, may_be in watched.items() if not mapping.columns[column]}

    def see(self, payload: Mapping[str, Any]) -> None:
        """Note what a record bears."""
        keys = tuple(payload)
        if keys in self._whole or is_marked_withdrawn(payload, self.source):
            return
        unknown = [name for name in keys if name not in self._mapped]
        borne = self._watched.keys() & payload.keys()
        lacking = self._watched.keys() - borne
        if not (unknown and lacking) and len(self._whole) < MOST_SHAPES:
            self._whole.add(keys)
        for name in unknown:
            self._beside.setdefault(name, set()).update(borne)
            alike = (column for column in lacking if self._watched[column](payload[name]))
            self._instead.setdefault(name, set()).update(alike)

    @property
    def renamed(self) -> frozenset[str]:
        """The columns that cannot be believed."""
        return frozenset(
            column
            for name, columns in self._instead.items()
            for column in columns
            if column not in self._beside[name]
        )


def _may_be_words(value: Any) -> bool:
    return isinstance(value, str) and len(value.split()) > 1


def _may_answer(answer: AnswerField, value: Any) -> bool:
    # To Python true is a number.
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return False
    if answer.number is None:
        return loose_key(str(value)) in answer.code_by_key
    try:
        return answer.number.min <= float(value) <= answer.number.max
    except (ValueError, OverflowError):
        return False
