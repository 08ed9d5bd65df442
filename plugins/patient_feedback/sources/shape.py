"""Which keys the raw records of a kind have, and what of them a source has changed: new, renamed, lost, of another type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from patient_feedback.errors import FeedbackError

Types = tuple[type, ...]
TEXT: Types = (str,)
NUMBER: Types = (int, float)
KEY: Types = (str, int)
FLAG: Types = (bool,)
LIST: Types = (list,)
OBJECT: Types = (dict,)
ANY: Types = (object,)
UNKNOWN_KEYS = "__unknown__"
"""In the content of a kind that lands only what it knows: the names of what the source showed beside it."""
UNREAD = "__unread__"
"""In the content of a record whose answers stand under names that nobody knows: it is set aside as an unreadable line."""
SEVERAL = 50
"""Of so many records some bear what is usual: a page of reviews without a word is less likely than a change."""
_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind knows of its raw records; null is of every type."""

    known: Mapping[str, Types]
    """Dotted paths, which go through lists; only below what has a path here is looked."""
    watched: Mapping[str, str] = field(default_factory=dict)
    """Paths without which what the warehouse holds would be overwritten, with the column that is made of each."""
    always: Set[str] = frozenset()
    """Those of them that every record bears, if only with null."""
    usual: Set[str] = frozenset()
    """Those that a record may lack, but not all of `SEVERAL`."""

    def keys(self, content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, type]]:
        """Yield the paths that a record bears, each with its value's type; one of a wrong type as `path (type)`."""
        for name, value in content.items():
            if name in (UNKNOWN_KEYS, UNREAD):
                yield from ((one, object) for one in (value if name == UNKNOWN_KEYS else ()))
                continue
            path, given = f"{above}{name}", type(value)
            types = self.known.get(path)
            if types is not None and value is not None and not _is_of(value, types):
                yield f"{path} ({_NAMES.get(given, given.__name__)})", given
                continue
            yield path, given
            if types in (LIST, OBJECT) and any(one.startswith(f"{path}.") for one in self.known):
                for part in value if isinstance(value, list) else [value]:
                    if isinstance(part, Mapping):
                        yield from self.keys(part, f"{path}.")

    def unknown(self, content: Mapping[str, Any]) -> list[str]:
        """Return the names of what a record bears and this does not know."""
        return sorted({name for name, _ in self.keys(content) if name not in self.known})


@dataclass(slots=True)
class Drift:
    """What the records of one delivery bear, compared with the shape that is known."""

    shape: Shape
    is_expected: Callable[[str], bool]
    """Tells whether the declaration reads or ignores a key that the kind does not know."""
    count: int = 0
    unknown: dict[str, None] = field(default_factory=dict)
    """Names of unknown keys, in the order in which they came."""
    _bearers: Counter[str] = field(default_factory=Counter)
    _types: dict[str, set[type]] = field(default_factory=dict)
    _beside: dict[str, set[str]] = field(default_factory=dict)
    """Of each unknown key the watched paths that a record bears beside it."""

    def see(self, content: Mapping[str, Any]) -> None:
        """Note what a record bears."""
        self.count += 1
        borne = dict(self.shape.keys(content))
        watched = borne.keys() & self.shape.watched.keys()
        self._bearers.update(watched)
        for name, given in borne.items():
            if name not in self.shape.known and not self.is_expected(name):
                self.unknown[name] = None
                self._types.setdefault(name, set()).add(given)
                self._beside.setdefault(name, set()).update(watched)

    @property
    def lost_columns(self) -> frozenset[str]:
        """The columns that cannot be believed: what they are made of is gone, of another type, or seems renamed.

        It seems renamed where no record that bears an unknown key of its type bears it too. So reviews without words
        are none the less accepted where a new key stands beside the words of others, or is no text.
        """
        return frozenset(column for path, column in self.shape.watched.items() if self._is_lost(path))

    def _is_lost(self, path: str) -> bool:
        is_expected = path in self.shape.always or (path in self.shape.usual and self.count >= SEVERAL)
        if is_expected and not self._bearers[path]:
            return True
        return any(name.startswith(f"{path} (") or self._is_renaming(name, path) for name in self.unknown)

    def _is_renaming(self, name: str, path: str) -> bool:
        is_beside = name.rpartition(".")[0] == path.rpartition(".")[0]
        types = self._types[name] - {type(None)}
        is_alike = any(issubclass(given, self.shape.known[path]) for given in types)
        return is_beside and is_alike and path not in self._beside[name]


def unread_answers(source_slug: str, names: Iterable[str]) -> FeedbackError:
    """Return what to say where answers stand under names that nobody knows: read as none, they would take words away."""
    return FeedbackError(
        f"The source '{source_slug}' gives answers under names that are not known here: {', '.join(sorted(names))}. Nothing "
        "of them was kept, and what is held stays. Its interface has changed: look at one response, and ask who keeps this "
        "kind of source. A question that is not wanted may stand under ignore_columns."
    )


def _is_of(value: Any, types: Types) -> bool:
    # To Python true is a number.
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types or types == ANY)
