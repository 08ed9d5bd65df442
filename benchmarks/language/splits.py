"""Who is measured on what: folds in which no text stands on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def trust_folds(trusts: NDArray[np.str_]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the trusts and, for each comment, the position of its trust: one fold for each trust."""
    names, fold_of = np.unique(trusts, return_inverse=True)
    return tuple(str(name) for name in names), fold_of.astype(np.int64)


def learnable(groups: Sequence[str], measured: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return what may be learnt from when the rows `measured` are measured: all without their words.

    Folds by trust share short answers such as "Good": no part learns from those of the other.
    """
    texts = np.asarray(groups)
    return np.flatnonzero(~np.isin(texts, texts[measured]))


def first_of_each(texts: Sequence[str], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rows without those whose text an earlier one has."""
    seen: dict[str, int] = {}
    for row in rows:
        seen.setdefault(texts[row], int(row))
    return np.array(sorted(seen.values()), np.intp)
