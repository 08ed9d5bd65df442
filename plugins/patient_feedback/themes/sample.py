"""Which texts a fit looks at: a bounded sample, the same for the same texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SAMPLE_LIMIT = 20_000


def sample_texts(
    text_sha256s: Sequence[str], limit: int = SAMPLE_LIMIT, strata: Sequence[str] | None = None
) -> NDArray[np.intp]:
    """Return the positions of at most `limit` texts, in the order of their hashes.

    The hash decides, so the sample depends neither on the order of the texts nor on chance, and a
    text that is added pushes out at most one other. With `strata` (one name for each text, such as
    its service) each stratum gets its share of the sample, and at least one text while `limit`
    allows.
    """
    order = sorted(range(len(text_sha256s)), key=lambda i: text_sha256s[i])
    if len(order) <= limit or strata is None:
        return np.array(order[:limit], dtype=np.intp)
    members: dict[str, list[int]] = defaultdict(list)
    for i in order:
        members[strata[i]].append(i)
    # The r-th text of a stratum of n stands at (r + 1/2) / n of it: taking texts by that place is a
    # proportional draw. The first of each stratum stands at 0, so that none is left out.
    places = [
        (rank and (rank + 0.5) / len(positions), text_sha256s[i], i)
        for positions in members.values()
        for rank, i in enumerate(positions)
    ]
    chosen = [i for _, _, i in sorted(places)[:limit]]
    return np.array(sorted(chosen, key=lambda i: text_sha256s[i]), dtype=np.intp)
