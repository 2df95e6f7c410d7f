"""Mistakes in words: one line each, with file, key and remedy."""

import re

import jsonschema


class ConfigError(ValueError):
    """A file of the user that cannot be used, with one line per mistake."""


def one_line(text: str) -> str:
    """Text without line breaks, and without characters that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def in_words(error: jsonschema.ValidationError) -> str:
    """One line: key, what is wrong, what would be right."""
    where = ".".join(map(str, error.absolute_path))
    prefix, given = f"{where}: " if where else "", repr(error.instance)
    short = given if len(given) <= 100 else f"{given[:80]} ..."
    kind = error.schema.get("title")
    if error.validator == "mistake":
        return f"{prefix}{error.message}"
    if error.validator == "additionalProperties":
        keys = error.schema.get("properties", {})
        allowed = sorted(k for k, inner in keys.items() if "mistake" not in inner)
        extra = sorted(str(k) for k in error.instance if k not in keys)
        known = f"known of `{kind}`" if kind else "known"
        return f"{prefix}unknown key {', '.join(extra)}; {known} are {', '.join(allowed)}"
    if error.validator == "required":
        missing = [k for k in error.validator_value if k not in error.instance]
        needs = f"; {kind} needs {'it' if len(missing) == 1 else 'them'}" if kind else ""
        return f"{prefix}missing key {', '.join(missing)}{needs}"
    if error.validator == "enum":
        choices = ", ".join(map(str, error.validator_value))
        return f"{prefix}{short} is not known; choose from {choices}"
    if error.validator == "oneOf":
        choices = [
            repr(s["const"]) if "const" in s else _with_article(s["type"])
            for s in error.validator_value
        ]
        return f"{prefix}{short} is not possible; give {' or '.join(choices)}"
    if error.validator == "type" and (form := _right_form(error)):
        return f"{prefix}{form}"
    numbers = {"number": "a finite number", "integer": "a whole number without point or exponent"}
    if isinstance(error.instance, float) and error.validator_value in ("number", "integer"):
        return f"{prefix}{short} is not {numbers[error.validator_value]}"
    what = error.message.replace(given, short)
    if error.validator in ("pattern", "maxLength") and "description" in error.schema:
        what = f"{short} cannot be used; {error.schema['description']}"
    return f"{prefix}{what}"


def _right_form(error: jsonschema.ValidationError) -> str:
    """What stands where, and how it would be right; empty where jsonschema's own words will do."""
    given, wanted = error.instance, error.validator_value
    key = next((part for part in reversed(error.absolute_path) if isinstance(part, str)), "file")
    if wanted == "object" and not isinstance(given, dict):
        names = given if isinstance(given, list) else [given]
        entries = [f"{name}: {{}}" for name in names if isinstance(name, str)]
        right = f"{{{', '.join(entries[:4]) or '...'}}}"
        what = (
            "a list" if isinstance(given, list) else "nothing" if given is None else _short(given)
        )
        return f"{what} where a mapping belongs; write `{key}: {right}`, indented or in braces"
    if wanted == "array" and not isinstance(given, list):
        entries = list(given) if isinstance(given, dict) else [] if given is None else [given]
        what = "a mapping" if isinstance(given, dict) else _short(given)
        listed = ", ".join(map(str, entries[:4])) or "..."
        return f"{what} where a list belongs; write `{key}: [{listed}]`"
    if wanted == "string" and isinstance(given, int | float):
        return f"{given!r} is no text in YAML; quote it: '{given}'"
    if wanted in ("number", "integer") and isinstance(given, list | dict):
        return f"{'a list' if isinstance(given, list) else 'a mapping'} where one number belongs"
    if wanted in ("number", "integer") and isinstance(given, str):
        number = re.match(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)", given)
        if number and given.strip() != number[1]:
            alone = f"write the number alone, in the unit of its key: {number[1]}"
            return f"{_short(given)} is text; {alone}"
        if number:
            return f"{_short(given)} is text; write the number without quotes: {number[1]}"
    return ""


def _short(value) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:50]} ..."


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeio" else f"a {noun}"
