"""What a declaration asks a system for, so that a change of it is seen."""

from __future__ import annotations

import json

from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import Landed, kind_module
from patient_feedback.sources.spelling import loose_key


def asked_of(source: Source) -> str:
    """Return what decides which parts of a record land, as text to keep; names of columns alone."""
    landed, mapping = kind_module(source.kind).LANDED, source.mapping
    mapped, ignored = set[str](), set[str]()
    if landed is not Landed.WHOLE:
        ignored = {loose_key(column) for column in source.ignore_columns}
    if landed is Landed.AS_DECLARED:
        # What is nobody's words may be read otherwise than what is.
        words = {f"words of {loose_key(comment.column)}" for comment in mapping.comments}
        mapped = {loose_key(column) for column in mapping.columns} | words
    return json.dumps({"ignored": sorted(ignored), "mapped": sorted(mapped)})


def asks_for_more(now: str, before: str) -> bool:
    """Tell whether something is asked for now that was not: what landed has all that a narrower one needs."""
    wanted, known = json.loads(now), json.loads(before)
    return bool(
        set(wanted["mapped"]) - set(known["mapped"]) or set(known["ignored"]) - set(wanted["ignored"])
    )
