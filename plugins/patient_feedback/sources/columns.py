"""Which columns a source needs, ignores, and does not know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from patient_feedback.sources.declaration import Source
from patient_feedback.sources.spelling import loose_key


def missing_columns(column_names: Iterable[str], source: Source) -> tuple[str, ...]:
    """Return the columns that the mapping needs and the file lacks, in the mapping's order."""
    present = {loose_key(name) for name in column_names}
    return tuple(
        name
        for name, is_optional in source.mapping.columns.items()
        if not is_optional and loose_key(name) not in present
    )


def unknown_columns(column_names: Iterable[str], source: Source) -> tuple[str, ...]:
    """Return the columns of the file that the declaration neither maps nor ignores, in the file's order."""
    mapped = {loose_key(name) for name in source.mapping.columns}
    if source.request.updated_column:
        mapped.add(loose_key(source.request.updated_column))
    return tuple(name for name in column_names if loose_key(name) not in mapped and not source.ignores(name))


def declared_spellings(source: Source) -> dict[str, str]:
    """Return the mapped columns' names by their loose key."""
    return {loose_key(name): name for name in source.mapping.columns}


def is_marked_withdrawn(payload: Mapping[str, Any], source: Source) -> bool:
    """Tell whether the record says that it is withdrawn, so that it need say nothing else."""
    mark = source.mapping.withdrawn
    value = payload.get(mark.column) if mark else None
    return mark is not None and value is not None and loose_key(str(value)) in mark.keys
