"""When two spellings are one name, and what slug a name gets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from functools import lru_cache
from itertools import count

from patient_feedback.contract import stable_id

MAXIMUM_SLUG_LENGTH = 48
_UNTIDY = re.compile(r"[\u00a0\u2000-\u200a\u202f\u3000\r\n\t]|  ")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_UNDECOMPOSED = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"}
)
"""Letters of European names that Unicode does not take for a letter with a mark, as it does å and ö."""


def loose_key(text: str) -> str:
    """Return what two spellings share that differ in case or in the width and kind of white space."""
    return " ".join(text.split()).casefold()


def free_name(name: str, taken: Container[str]) -> str:
    """Return the name with the first number, from 2 on, that makes it another one than those that are taken."""
    return next(numbered for n in count(2) if (numbered := f"{name} ({n})") not in taken)


def tidy(text: str) -> str:
    """Return the text with every run of white space (line break, no-break space) as one space."""
    return " ".join(text.split())


def has_untidy_space(text: str) -> bool:
    """Tell whether a name holds a no-break space, line break, tab or double blank, ends apart."""
    return _UNTIDY.search(text.strip(" ")) is not None


@lru_cache(maxsize=16_384)
def slug_of(text: str) -> str:
    """Return a slug of at most 48 characters: lower case, ASCII, underscores.

    A name that is cut, or of which a letter or digit has no counterpart in ASCII, gets a hash of itself, so that
    two names never share a slug by that.
    """
    decomposed = unicodedata.normalize("NFKD", tidy(text).lower().translate(_UNDECOMPOSED))
    letters = decomposed.encode("ascii", "ignore").decode().lower()
    slug = _NOT_SLUG.sub("_", letters.replace("&", " and ")).strip("_")
    if slug and not slug[0].isalpha():
        slug = f"n_{slug}"
    is_lossy = any(character.isalnum() and not character.isascii() for character in decomposed)
    if is_lossy or len(slug) < 2 or len(slug) > MAXIMUM_SLUG_LENGTH:
        mark = stable_id(loose_key(text))[:8]
        slug = f"{slug[: MAXIMUM_SLUG_LENGTH - 9].rstrip('_') or 'name'}_{mark}"
    return slug
