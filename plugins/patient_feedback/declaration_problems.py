"""Reads a YAML declaration with the line of every field, and words what is wrong with it for its author."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from patient_feedback.errors import DeclarationError

FieldPath = tuple[str | int, ...]
SLUG_PATTERN = r"^[a-z][a-z0-9_]{1,47}$"
"""A permanent name in a declaration of sources."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C where it is there: DAG files are parsed over and over."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: a message that reads on from the field's name."""

    path: FieldPath
    message: str


@dataclass(slots=True)
class YamlDocument:
    """The content of a YAML file, all scalars but null as text, and the line of every field."""

    value: Any
    lines: dict[FieldPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: FieldPath) -> int:
        """Return the line of the field, or of the nearest one around it that is written down."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str, path: Path) -> YamlDocument:
    """Return the document; raise DeclarationError with the line where it is no YAML."""
    try:
        node = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark else 1
        raise DeclarationError(
            f"{path}:{line}: is no YAML: {reason}. "
            "Look at the indentation, quotes and colons of this line and the one before."
        ) from None
    document = YamlDocument(None)
    if node is not None:
        document.value = _value(node, (), document, frozenset())
    return document


def _value(node: yaml.Node, path: FieldPath, document: YamlDocument, above: frozenset[int]) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in above:
        document.problems.append(Problem(path, "is an alias of a field that it is part of"))
        return None
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document, above)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), document, above) for index, item in enumerate(node.value)]
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _mapping(
    node: yaml.MappingNode, path: FieldPath, document: YamlDocument, above: frozenset[int]
) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append(Problem(path, "has a key that is no text"))
            continue
        key = key_node.value
        if key_node.tag == "tag:yaml.org,2002:merge":
            merged = _value(value_node, (*path, key), document, above)
            for part in merged if isinstance(merged, list) else [merged]:
                if isinstance(part, dict):
                    content = {**part, **content}
            continue
        document.lines[(*path, key)] = key_node.start_mark.line + 1
        if key in content:
            document.problems.append(Problem((*path, key), "is written twice: keep one"))
        content[key] = _value(value_node, (*path, key), document, above)
    return content


def validation_problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return what pydantic refuses, in words for the author of the file."""
    problems = []
    for entry in error.errors(include_url=False):
        path = tuple(part for part in entry["loc"] if part != "[key]")
        given, context = entry.get("input"), entry.get("ctx", {})
        match entry["type"]:
            case "rule":
                problems += [Problem((*path, *parse_field(below)), said) for below, said in context["found"]]
                continue
            case "extra_forbidden":
                message = _unknown_key(str(path[-1]), _keys_at(model, path[:-1]))
            case "missing":
                message = "is missing" + (_expected(model, path) or _description(model, path))
            case "enum":
                message = f"{_shown(given)} is none of the values allowed" + _expected(model, path, given)
            case "string_pattern_mismatch":
                made_of = "lower case letters, digits and underscores, a letter first"
                hint = (
                    f": 2 to 48 {made_of}"
                    if context["pattern"] == SLUG_PATTERN
                    else f": {made_of}" * (path[-1] == "slug")
                )
                message = f"{_shown(given)} does not match {context['pattern']}{hint}"
            case "credentials":
                message = entry["msg"]
            case "model_type" | "dict_type" | "model_attributes_type":
                message = f"{_shown(given)} is no mapping of keys to values" + _expected(model, path)
            case "list_type":
                message = (
                    f"{_shown(given)} is no list: write [...] or one line that starts with a dash per entry"
                )
            case "cron" | "date_format" | "pattern" | "encoding" | "timezone":
                message = f"{_shown(given)} {entry['msg']}"
            case _:
                reason = entry["msg"][0].lower() + entry["msg"][1:]
                message = f"{_shown(given)} cannot be used: {reason.removeprefix('input ')}"
        problems.append(Problem(path, message))
    return problems


def render_problems(
    path: Path, document: YamlDocument, problems: Sequence[Problem], of_what: str = "sources"
) -> str:
    """Return the message of a DeclarationError: a heading and one line per problem, in the file's order."""
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    lines = sorted((document.line_of(each.path), field_name(each.path), each.message) for each in problems)
    listed = "\n".join(f"  {path}:{line}: {name} {message}{_stop(message)}" for line, name, message in lines)
    return f"The declaration of {of_what} cannot be used: {count}.\n{listed}"


def _stop(message: str) -> str:
    return "" if message.endswith("?") else "."


def field_name(path: FieldPath) -> str:
    """Return the dotted name, such as sources[1].mapping.comments[0].question.intent."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return name.lstrip(".") or "the file"


def parse_field(name: str) -> FieldPath:
    """The inverse of `field_name` for names without dots in their keys."""
    return tuple(int(index) if index else key for index, key in re.findall(r"\[(\d+)\]|([^.\[\]]+)", name))


def _shown(given: Any) -> str:
    text = "null" if given is None else repr(given) if isinstance(given, str) else f"a {_kind(given)}"
    return text if len(text) <= 80 else text[:77] + "..."


def _kind(given: Any) -> str:
    if isinstance(given, dict):
        return "mapping"
    return type(given).__name__


def _unknown_key(key: str, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"is no known key. {hint}Allowed here: {', '.join(allowed)}"


def _expected(model: type[BaseModel], path: FieldPath, given: Any = None) -> str:
    annotation = _annotation_at(model, path)
    values = [member.value for member in annotation] if _is_enum(annotation) else []
    if values:
        near = difflib.get_close_matches(str(given), values, n=1, cutoff=0.6)
        return f". Allowed: {', '.join(values)}" + (f". Did you mean '{near[0]}'?" if near else "")
    keys = _keys_at(model, path)
    return f". Allowed here: {', '.join(keys)}" if keys else ""


def _description(model: type[BaseModel], path: FieldPath) -> str:
    """Return what the declaration says of a field that has one value; empty where it says nothing."""
    around = _annotation_at(model, path[:-1])
    found = around.model_fields.get(str(path[-1])) if _is_model(around) else None
    said = " ".join((found.description or "").split()) if found else ""
    return f": {said[0].lower()}{said[1:].rstrip('.')}" if said else ""


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "__members__")


def _keys_at(model: type[BaseModel], path: FieldPath) -> list[str]:
    annotation = _annotation_at(model, path)
    return list(annotation.model_fields) if _is_model(annotation) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _annotation_at(model: type[BaseModel], path: FieldPath) -> Any:
    annotation: Any = model
    for part in path:
        annotation = _bare(annotation)
        if _is_model(annotation):
            found = annotation.model_fields.get(str(part))
            annotation = found.annotation if found else None
        elif get_origin(annotation) is list and isinstance(part, int):
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (dict, Mapping):
            annotation = get_args(annotation)[1]
        else:
            return None
    return _bare(annotation)


def _bare(annotation: Any) -> Any:
    """Strip Annotated and `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kept = [part for part in get_args(annotation) if part is not type(None)]
        return _bare(kept[0]) if len(kept) == 1 else annotation
    return annotation
