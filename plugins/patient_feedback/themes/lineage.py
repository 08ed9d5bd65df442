"""What became of the themes of the previous set: kept, split, merged, retired, and which are new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from patient_feedback.themes.match import SharedMembers

MERGED_SHARE = 0.5
"""A theme that ends went into another where that holds at least this share of its texts."""
ORIGIN_SHARE = 1 / 3
"""A new theme came out of a previous one where that held at least this share of its texts."""
FOLLOWING_SHARE = 0.5
"""A new theme follows a previous one where that held at least this share of its texts."""


class Relation(StrEnum):
    KEPT = "kept"
    SPLIT = "split"
    """Came out of a theme that goes on under its own name, or that ended in several."""
    MERGED = "merged"
    """The previous theme ended, and most of it lies in this one."""
    NEW = "new"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class LineageEntry:
    previous_index: int | None
    new_index: int | None
    relation: Relation
    shared_member_share: float | None
    """Share of the previous theme's texts that lie in the new one; None without either, or where no text of the
    previous theme was read by both sets."""


def trace_lineage(shared: SharedMembers, partners: Mapping[int, int]) -> list[LineageEntry]:
    """Return where every new theme comes from and where every previous one went.

    `partners` gives the previous index of each new theme that goes on from one. Every previous theme
    has one entry kept, merged or retired; every new one is kept, or has an entry as split, as what
    others merged into, or as new.
    """
    shares = np.where(shared.previous_totals[:, None] > 0, shared.shares(), np.nan)
    origins = shared.counts / np.maximum(shared.new_totals, 1)[None, :]
    entries = [
        _entry(shares, previous, new, Relation.KEPT)
        for new, previous in sorted(partners.items(), key=lambda pair: pair[1])
    ]
    went_into: set[int] = set()
    for previous in sorted(set(range(len(shares))) - set(partners.values())):
        new = int(shared.counts[previous].argmax()) if shares.shape[1] else -1
        if new >= 0 and shares[previous, new] >= MERGED_SHARE:
            entries.append(_entry(shares, previous, new, Relation.MERGED))
            went_into.add(new)
        else:
            entries.append(LineageEntry(previous, None, Relation.RETIRED, None))
    merged = {(entry.previous_index, entry.new_index) for entry in entries}
    for new in sorted(set(range(shares.shape[1])) - set(partners)):
        sources = [
            previous
            for previous in np.flatnonzero(origins[:, new] >= ORIGIN_SHARE).tolist()
            if (previous, new) not in merged
        ]
        entries += [_entry(shares, previous, new, Relation.SPLIT) for previous in sources]
        if not sources and new not in went_into:
            entries.append(LineageEntry(None, new, Relation.NEW, None))
    return entries


def followed_themes(shared: SharedMembers, partners: Mapping[int, int]) -> dict[int, int]:
    """Return for each new theme without a previous one the theme that held most of its texts, if any did."""
    followed: dict[int, int] = {}
    for new in set(range(len(shared.new_totals))) - set(partners):
        if len(shared.counts) and shared.new_totals[new]:
            previous = int(shared.counts[:, new].argmax())
            if shared.counts[previous, new] >= FOLLOWING_SHARE * shared.new_totals[new]:
                followed[new] = previous
    return followed


def _entry(shares: NDArray[np.float64], previous: int, new: int, relation: Relation) -> LineageEntry:
    share = float(shares[previous, new])
    return LineageEntry(previous, new, relation, None if np.isnan(share) else share)
