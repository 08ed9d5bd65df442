"""Who is measured on what: folds in which no text stands on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEARNT_FROM = -1


def grouped_folds(groups: Sequence[str], seed: int, fold_count: int) -> NDArray[np.int64]:
    """Return the fold of each comment; comments of one group (the same words) share it."""
    return np.array(
        [
            int.from_bytes(hashlib.sha256(f"{seed}|{group}".encode()).digest()[:8]) % fold_count
            for group in groups
        ],
        np.int64,
    )


def trust_folds(trusts: NDArray[np.str_]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the trusts and, for each comment, the position of its trust: one fold for each trust."""
    names, fold_of = np.unique(trusts, return_inverse=True)
    return tuple(str(name) for name in names), fold_of.astype(np.int64)


def unseen(groups: Sequence[str], fold_of: NDArray[np.int64], fold: int) -> NDArray[np.bool_]:
    """Return which comments are of `fold` and have words that no comment of another fold has.

    Folds by trust share short answers such as "Good": those are left out of what is measured.
    """
    learnt = {group for group, other in zip(groups, fold_of, strict=True) if other != fold}
    return np.array(
        [own == fold and group not in learnt for group, own in zip(groups, fold_of, strict=True)], bool
    )


def first_of_each(texts: Sequence[str], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rows without those whose text an earlier one has."""
    seen: dict[str, int] = {}
    for row in rows:
        seen.setdefault(texts[row], int(row))
    return np.array(sorted(seen.values()), np.intp)
