"""A FHIR R4 QuestionnaireResponse: what of it lands, and its columns; both FHIR kinds read it so.

The models of fhir.resources do not pay here: they refuse a whole resource for one wrong field, while what a server
sends wrong must still land and be reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import Landed, RawRecord
from patient_feedback.sources.moments import utc_text
from patient_feedback.sources.shape import ANY, UNKNOWN_KEYS, UNREAD, Shape

IDENTIFIERS: tuple[str, ...] = ()
"""`raw_record` names what is landed; narrative, contained resources, identifiers, display names, extensions,
attachments and the wording of items are not among it."""
RESOURCE_TYPE = "QuestionnaireResponse"
LANDED = Landed.LESS_IGNORED
STANDING_STATUS = frozenset({"completed", "amended"})
ENTERED_IN_ERROR = "entered-in-error"
SHAPE = Shape(
    known=dict.fromkeys(
        [
            "resourceType",
            "id",
            "meta",
            "implicitRules",
            "language",
            "text",
            "contained",
            "extension",
            "modifierExtension",
            "identifier",
            "basedOn",
            "partOf",
            "questionnaire",
            "status",
            "subject",
            "encounter",
            "authored",
            "author",
            "source",
            "item",
        ],
        ANY,
    )
)
COLUMN_PREFIX = "item."
VALUE_PREFIX = "value"

_HEAD = ("resourceType", "id", "status", "questionnaire", "language", "authored")
_META = ("versionId", "lastUpdated")
_REFERENCES = ("subject", "encounter", "author", "source")
_PARTS: dict[str, tuple[str, ...]] = {
    "valueCoding": ("code", "display"),
    "valueQuantity": ("value",),
    "valueReference": ("reference",),
}
"""Of an answer that is no single value: what is read of it, the first that is there."""
_BESIDE_A_VALUE = frozenset({"id", "item", "extension", "modifierExtension"})
_LANDED_PARTS = {
    "valueCoding": ("system", "code", "display"),
    "valueQuantity": ("value", "comparator", "unit", "system", "code"),
    "valueReference": ("reference",),
}


def raw_record(resource: Mapping[str, Any], source: Source) -> RawRecord:
    """Return the resource as it lands: without what nobody reads, and of a withdrawn one without its answers."""
    is_withdrawn = resource.get("status") == ENTERED_IN_ERROR
    content: dict[str, Any] = {name: resource[name] for name in _HEAD if name in resource}
    content["meta"] = _parts(resource.get("meta"), _META)
    for name in _REFERENCES:
        if name in resource and not source.ignores(name):
            content[name] = _parts(resource[name], ("reference",))
    # What a value has beside it (an extension) stands under the same name behind a line.
    unknown = [name for name in SHAPE.unknown(resource) if name.removeprefix("_") not in SHAPE.known]
    unread: set[str] = set()
    if not is_withdrawn:
        content["item"] = _landed_items(resource.get("item"), source, unread)
        content |= {UNREAD: True} if unread or ("item" not in resource and unknown) else {}
    if unknown or unread:
        content[UNKNOWN_KEYS] = sorted({*unknown, *unread})
    return RawRecord(str(resource["id"]), content, is_withdrawn)


def answers_questionnaire(resource: Mapping[str, Any], canonical: str) -> bool:
    """Tell whether a response answers this questionnaire; a canonical without |version means every version."""
    given = resource.get("questionnaire")
    if not isinstance(given, str):
        return False
    url, _, version = canonical.partition("|")
    given_url, _, given_version = given.partition("#")[0].partition("|")
    return given_url == url and version in ("", given_version)


def payload(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a QuestionnaireResponse as columns: its head, and `item.<linkId>` for each item at any depth."""
    canonical, _, version = str(_scalar(content.get("questionnaire")) or "").partition("|")
    meta = _parts(content.get("meta"), _META)
    columns: dict[str, Any] = {
        "id": _scalar(content.get("id")),
        "version_id": _scalar(meta.get("versionId")),
        "last_updated": utc_text(meta.get("lastUpdated")),
        "status": _scalar(content.get("status")),
        "questionnaire": canonical or None,
        "questionnaire_version": version or None,
        "language": _scalar(content.get("language")),
        "authored": utc_text(content.get("authored")) or _scalar(content.get("authored")),
        **{name: _scalar(_parts(content.get(name), ("reference",)).get("reference")) for name in _REFERENCES},
    }
    answered: dict[str, list[Any]] = {}
    for column, values in _answers(content.get("item")):
        answered.setdefault(column, []).extend(values)
    for column, values in answered.items():
        columns[column] = values if len(values) > 1 else values[0] if values else None
    return columns


def _answers(items: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield column and values of each question, in the order of the form; of a group only what is in it."""
    # A list of what is left, not recursion: items may lie deeper than Python's stack.
    waiting = _mappings(items)[::-1]
    while waiting:
        item = waiting.pop()
        answers = _mappings(item.get("answer"))
        below = _mappings(item.get("item"))
        if answers or not below:
            yield _column(item), [value for answer in answers if (value := _value(answer)) is not None]
        for answer in answers:
            below += _mappings(answer.get("item"))
        waiting += below[::-1]


def _value(answer: Mapping[str, Any]) -> Any:
    for name, value in answer.items():
        if name.startswith(VALUE_PREFIX):
            if not isinstance(value, Mapping):
                return _scalar(value)
            found = (_scalar(value.get(part)) for part in _PARTS.get(name, ()))
            return next((part for part in found if part is not None), None)
    return None


def _landed_items(items: Any, source: Source, unread: set[str]) -> list[dict[str, Any]]:
    """Return what lands of items; add to `unread` the keys under which an answer stands that nobody can read."""
    landed = []
    for item in _mappings(items):
        is_ignored = source.ignores(_column(item))
        kept: dict[str, Any] = {"linkId": item.get("linkId")}
        if "answer" in item:
            kept["answer"] = [
                _landed_answer(answer, source, is_ignored, unread) for answer in _mappings(item["answer"])
            ]
        if "item" in item:
            kept["item"] = _landed_items(item["item"], source, unread)
        landed.append(kept)
    return landed


def _landed_answer(
    answer: Mapping[str, Any], source: Source, is_ignored: bool, unread: set[str]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    unknown = answer.keys() - _BESIDE_A_VALUE
    if unknown and not is_ignored and not any(_is_value(name) for name in unknown):
        unread |= unknown
    for name, value in answer.items():
        if name == "item":
            kept["item"] = _landed_items(value, source, unread)
        elif name.startswith(VALUE_PREFIX) and not is_ignored:
            kept[name] = (
                _parts(value, _LANDED_PARTS.get(name, ())) if isinstance(value, Mapping) else _scalar(value)
            )
    return kept


def _is_value(name: str) -> bool:
    return name.removeprefix("_").startswith(VALUE_PREFIX)


def _column(item: Mapping[str, Any]) -> str:
    link_id = _scalar(item.get("linkId"))
    return f"{COLUMN_PREFIX}{'' if link_id is None else link_id}"


def _scalar(value: Any) -> Any:
    """Return the value where it is a single one that PostgreSQL's jsonb can hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int) else None


def _parts(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value} if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; one that stands alone where a list should be counts as a list of one."""
    if isinstance(value, Mapping):
        return [value]
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []
