"""Permanent names of themes: kept where a theme goes on, never given twice."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from patient_feedback.themes.match import ThemeMatch

SLUG_LENGTH = 60


@dataclass(frozen=True, slots=True)
class SlugDecision:
    slug: str
    is_new: bool


def theme_slug(label: str, taken: Collection[str]) -> str:
    """Return a slug for a new theme, unlike every one in `taken` (all slugs ever given, retired ones too)."""
    ascii_label = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode("ascii").lower()
    words = re.sub(r"[^a-z0-9]+", "_", ascii_label).strip("_")
    if len(words) > SLUG_LENGTH:  # after a whole word, where there is one
        words = words[:SLUG_LENGTH].rpartition("_")[0] or words[:SLUG_LENGTH]
    stem = words or "theme"
    slug, number = stem, 2
    while slug in taken:
        slug = f"{stem}_{number}"
        number += 1
    return slug


def decide_slugs(
    labels: Sequence[str],
    matches: Sequence[ThemeMatch],
    previous_slugs: Sequence[str],
    taken: Collection[str],
) -> list[SlugDecision]:
    """Return the slug of each new theme: that of the previous theme it goes on from, else one never used.

    `taken` holds every slug of the registry, of whatever level and status. Previous slugs that no
    decision names are those to retire.
    """
    given = set(taken) | set(previous_slugs)
    decisions: list[SlugDecision] = []
    for match in matches:
        if match.previous_index is not None:
            decisions.append(SlugDecision(previous_slugs[match.previous_index], False))
            continue
        slug = theme_slug(labels[match.new_index], given)
        given.add(slug)
        decisions.append(SlugDecision(slug, True))
    return decisions
