"""Whether a reader can tell themes apart by name and key words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from patient_feedback.language.encoder import Encoder


def described(label: str, keywords: Sequence[str]) -> str:
    """Return what a reader sees of a theme."""
    return f"{label}: {', '.join(keywords)}" if label else ", ".join(keywords)


def share_nearest_own_name(
    encoder: Encoder, names: Sequence[str], vectors: NDArray[np.float32], themes: NDArray[np.int64]
) -> float:
    """Return the share of the assigned comments that are nearer to their own theme's name than to any other.

    `vectors` are the comments' by `encoder`; `themes` holds positions in `names`, -1 for no theme.
    """
    member = themes >= 0
    if not member.any():
        return 0.0
    nearest = (vectors[member] @ encoder.encode(list(names)).T).argmax(axis=1)
    return float(np.mean(nearest == themes[member]))
