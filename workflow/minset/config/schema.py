"""Schemas of system and study files, with the options of the entries that a file names.

A place in a schema file with ``entry: <registry>`` holds an entry of that registry. Which one says
``kind_key``, a key at the place itself, else ``default_kind`` or, with ``name_is_kind``, the name that
the file gives the place; or ``kind_from``, a key beside the place. Its keys are the ``properties`` that
stand there, which all entries share, and the options of the entry's record.
"""

import copy
import functools
import re
from pathlib import Path

import jsonschema
import yaml

from minset.config.registries import registry
from minset.config.strict_yaml import LARGEST
from minset.observe.record import ASKED_FOR

# where PyYAML has libyaml, eight times as fast: each job reads the schemas, too
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCHEMAS = Path(__file__).parents[2] / "schemas"
_OF_PLACE = {"entry", "kind_key", "default_kind", "name_is_kind", "kind_from", "properties"}


def _is_number(_, value) -> bool:
    """Finite, and neither true nor false."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= LARGEST


def _is_integer(checker, value) -> bool:
    """JSON Schema takes 32.0 for an integer; then it would be part of file names."""
    return isinstance(value, int) and _is_number(checker, value)


def _matches(_, pattern: str, value, schema: dict):
    """Of `pattern`: the whole text; Python's `$` would let a line break through at its end."""
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern}")


def _mistake(_, message: str, value, schema: dict):
    """Of `mistake`: whatever stands here is one."""
    yield jsonschema.ValidationError(message)


Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _matches, "mistake": _mistake},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


@functools.cache
def schema_file(kind: str) -> dict:
    """Content of a schema file, ``study`` or ``system``."""
    text = (_SCHEMAS / f"{kind}.schema.yaml").read_text()
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - both are safe ones


def schema_of(kind: str, content) -> dict:
    """Schema of one file, in which every place has the options of the entry that the file names.

    Parameters
    ----------
    kind
        ``study`` or ``system``.
    content
        Of the file; it may be anything.

    Returns
    -------
    dict
        JSON schema without references.
    """
    root = schema_file(kind)
    return _concrete(root, content, None, {}, root["$defs"])


def fill_defaults(content, schema: dict) -> None:
    """Put the defaults of a schema by ``schema_of`` where the file says nothing."""
    if not isinstance(content, dict):
        return
    for key, inner in schema.get("properties", {}).items():
        if "default" in inner and key not in content:
            content[key] = copy.deepcopy(inner["default"])
        if key in content:
            fill_defaults(content[key], inner)


def _concrete(node: dict, content, name, beside: dict, shared: dict) -> dict:
    """A node of a schema file for the content of its place: the value of ``name`` in ``beside``."""
    while "$ref" in node:
        target = shared[node["$ref"].rsplit("/", 1)[-1]]
        node = target | {key: value for key, value in node.items() if key != "$ref"}
    if "if" in node:
        branch = node["then" if Validator(node["if"]).is_valid(content) else "else"]
        rest = {key: value for key, value in node.items() if key not in ("if", "then", "else")}
        return _concrete(rest | branch, content, name, beside, shared)
    if isinstance(node.get("registry"), str):
        return _choice(node)
    if "entry" in node:
        node = _entry(node, content, name, beside)
    if "entries" in node:
        node = node | {"properties": node["properties"] | _options_of_all(node["entries"])}
    given = content if isinstance(content, dict) else {}
    concrete = {key: value for key, value in node.items() if key not in ("$defs", "entries")}
    properties = {
        key: _concrete(inner, given.get(key, inner.get("default")), key, given, shared)
        for key, inner in node.get("properties", {}).items()
    }
    if isinstance(others := node.get("additionalProperties"), dict):
        # each name has a schema of its own, by the entry that it names
        properties |= {
            key: _concrete(others, value, key, given, shared)
            for key, value in given.items()
            if key not in properties
        }
        concrete["additionalProperties"] = True
    for key in ("items", "propertyNames"):
        if key in node:
            concrete[key] = _concrete(node[key], None, None, {}, shared)
    return concrete | ({"properties": properties} if properties else {})


def _choice(node: dict) -> dict:
    """Names of the entries of a registry; with ``of``, of those that are of this."""
    rest = {key: value for key, value in node.items() if key not in ("registry", "of")}
    entries = registry(node["registry"])
    return rest | {
        "enum": sorted(k for k, r in entries.items() if "of" not in node or r.of == node["of"])
    }


def _entry(node: dict, content, name, beside: dict) -> dict:
    """Schema of a place with ``entry``: what the record of its entry takes, and what all share."""
    place = {key: value for key, value in node.items() if key not in _OF_PLACE}
    entries, given = registry(node["entry"]), content if isinstance(content, dict) else {}
    key = node.get("kind_key")
    if "kind_from" in node:
        kind = beside.get(node["kind_from"])
    else:
        kind = given.get(key, name if node.get("name_is_kind") else node.get("default_kind"))
    if not isinstance(kind, str) or kind not in entries:
        return place | _unknown_kind(node, given)
    own = {} if key is None else {key: {"enum": sorted(entries), "default": kind}}
    own |= node.get("properties", {}) | entries[kind].options
    if hasattr(entries[kind], "training"):
        trainings = {other: record.training for other, record in entries.items()}
        own["training"] = _section(kind, trainings, given.get("training"))
    return place | {
        "type": "object",
        "title": kind,
        "additionalProperties": False,
        # not all records have keys that must be there
        "required": [*node.get("required", []), *getattr(entries[kind], "required", ())],
        "properties": own | _foreign(kind, own, given, {k: r.options for k, r in entries.items()}),
    }


def _unknown_kind(node: dict, given: dict) -> dict:
    """Schema of a place whose entry nobody knows: what is wrong with that alone."""
    choices, key = sorted(registry(node["entry"])), node.get("kind_key")
    if "kind_from" in node:  # the key beside the place has the mistake
        return {"type": "object"}
    if key in given:
        return {"type": "object", "properties": {key: {"enum": choices}}}
    if node.get("name_is_kind"):
        what = f"no {key} of that name; choose from {', '.join(choices)}, or name one with `{key}:`"
    else:
        what = f"missing key {key}; choose from {', '.join(choices)}"
    return {"mistake": what}


def _options_of_all(name: str) -> dict:
    """A section for every entry of a registry that has options.

    What is computed only where its section is there has no default.
    """
    sections = {}
    for key, record in registry(name).items():
        if record.options:
            sections[key] = _section(key, {key: record.options}, {})
            if record.of in ASKED_FOR:
                del sections[key]["default"]
    return sections


def _section(kind: str, options: dict[str, dict], given) -> dict:
    """Schema of a section with the options of one kind, out of those of all kinds."""
    return {
        "type": "object",
        "title": kind,
        "additionalProperties": False,
        "default": {},
        "properties": options[kind] | _foreign(kind, options[kind], given, options),
    }


def _foreign(kind: str, own: dict, given, options: dict[str, dict]) -> dict:
    """Schema of the keys given that belong to other kinds: a mistake that says to which."""
    foreign = {}
    for key in given if isinstance(given, dict) else ():
        others = sorted(other for other, keys in options.items() if key in keys)
        if others and key not in own:
            foreign[key] = {"mistake": f"a key of {' and '.join(others)}, not of {kind}"}
    return foreign
