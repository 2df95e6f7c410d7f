"""Schemas of system and study files: validation, defaults, and errors in words."""

import functools
import re
from pathlib import Path

import jsonschema
import yaml

from minset.label import LABELERS
from minset.model import MODELS
from minset.pool import GENERATORS
from minset.potential import POTENTIALS
from minset.select import SELECTORS

REGISTRIES = {
    "generators": GENERATORS,
    "labelers": LABELERS,
    "models": MODELS,
    "potentials": POTENTIALS,
    "selectors": SELECTORS,
}
_SCHEMAS = Path(__file__).parents[2] / "schemas"
LARGEST = 10**15  # of numbers, so that nothing computed from them is infinite


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


Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _matches},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


@functools.cache
def schema(kind: str) -> dict:
    content = yaml.safe_load((_SCHEMAS / f"{kind}.schema.yaml").read_text())

    def with_registries(node):
        if isinstance(node, dict):
            node = {k: with_registries(v) for k, v in node.items()}
            if isinstance(node.get("registry"), str):
                node["enum"] = sorted(REGISTRIES[node.pop("registry")])
        elif isinstance(node, list):
            node = [with_registries(v) for v in node]
        return node

    return with_registries(content)


def fill_defaults(content, schema: dict, root: dict) -> None:
    """Put the schema's defaults where the file says nothing."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]] | schema
    if not isinstance(content, dict):
        return
    if "if" in schema:
        matches = Validator(schema["if"]).is_valid(content)
        fill_defaults(content, schema["then" if matches else "else"], root)
    for key, inner in schema.get("properties", {}).items():
        if "default" in inner and key not in content:
            default = inner["default"]
            content[key] = default.copy() if isinstance(default, dict | list) else default
        if key in content:
            fill_defaults(content[key], inner, root)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for key in content:
            if key not in schema.get("properties", {}):
                fill_defaults(content[key], others, root)


def in_words(error: jsonschema.ValidationError) -> str:
    """One line: key, what is wrong, what would be right."""
    where = ".".join(map(str, error.absolute_path))
    prefix, given = f"{where}: " if where else "", repr(error.instance)
    short = given if len(given) <= 100 else f"{given[:80]} ..."
    if error.validator == "additionalProperties":
        allowed = sorted(error.schema.get("properties", {}))
        extra = sorted(str(k) for k in error.instance if k not in allowed)
        known = f"known of `{kind}`" if (kind := error.schema.get("title")) else "known"
        return f"{prefix}unknown key {', '.join(extra)}; {known} are {', '.join(allowed)}"
    if error.validator == "required":
        missing = [k for k in error.validator_value if k not in error.instance]
        return f"{prefix}missing key {', '.join(missing)}"
    if error.validator == "enum":
        choices = ", ".join(map(str, error.validator_value))
        return f"{prefix}{short} is not known; choose from {choices}"
    if error.validator == "oneOf":
        choices = [
            repr(s["const"]) if "const" in s else f"a {s['type']}" for s in error.validator_value
        ]
        return f"{prefix}{short} is not possible; give {' or '.join(choices)}"
    numbers = {"number": "a finite number", "integer": "a whole number without point or exponent"}
    if isinstance(error.instance, float) and error.validator_value in ("number", "integer"):
        return f"{prefix}{short} is not {numbers[error.validator_value]}"
    what = error.message.replace(given, short)
    if error.validator in ("pattern", "maxLength") and "description" in error.schema:
        what = f"{short} cannot be used; {error.schema['description']}"
    return f"{prefix}{what}"


def one_line(text: str) -> str:
    """Text without line breaks, and without characters that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
