"""YAML as system and study files need it: no key twice, no bombs, numbers as they are meant."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from minset.config.words import ConfigError, one_line

LARGEST = 10**15  # of numbers, so that nothing computed from them is infinite
_MOST_VALUES = 10_000  # of a file
_MERGE = "tag:yaml.org,2002:merge"


def parse(path: Path):
    """Content of a YAML file.

    Raises
    ------
    ConfigError
        In one line, if it cannot be read or is no YAML.
    """
    try:
        loader = _StrictLoader(path.read_text("utf-8"))
        node = loader.get_single_node()
        if _values(node, {}) > _MOST_VALUES:
            raise yaml.YAMLError(f"with its aliases written out it has over {_MOST_VALUES} values")
        if not node:
            return None
        loader.refuse_keys_given_twice(node, set())
        if found := list(_surprises(node, (), set())):
            raise ConfigError("\n".join(f"{path}: {one_line(line)}" for line in found))
        return _written_out(loader.construct_document(node))
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # PyYAML raises its own and, of bad dates and numbers, many more
        raise ConfigError(f"{path} is not valid YAML: {one_line(str(error))}") from error


def _surprises(node: yaml.Node, place: tuple, seen: set) -> Iterator[str]:
    """What YAML takes for something else than whoever wrote it meant: a line each, with its key."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        before = None
        for key, value in node.value:
            if key.tag.endswith((":int", ":float")) and value.value == "" and before:
                name, number = before[0].value, f"{before[1].value},{key.value}"
                where = ".".join(map(str, (*place, name)))
                point = number.replace(",", ".")
                yield f"{where}: {number} has a comma; write the number with a point: {point}"
                return
            before = key, value
            yield from _surprises(key, place, seen)
            yield from _surprises(value, (*place, getattr(key, "value", "")), seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _surprises(value, (*place, number), seen)
    elif node.style is None and (what := _surprise(node.tag.rpartition(":")[2], node.value)):
        yield ": ".join([".".join(map(str, place)), what] if place else [what])


def _surprise(kind: str, text: str) -> str:
    """Of a text without quotes that YAML takes for some kind of value; empty if it is as it looks."""
    quoted = f"quote it, '{text}'"
    if kind in ("int", "float") and ":" in text:
        return f"{text} is a number of base 60 in YAML; {quoted}, or write the plain number"
    if kind == "int" and re.fullmatch("[-+]?0[0-9_]+", text):
        plain = text.replace("_", "").lstrip("+-0") or "0"
        return (
            f"{text} is {int(text, 8)} in YAML, which counts to 7 after a 0; write {plain} for it, "
            f"or {quoted}"
        )
    if kind == "bool" and text.lower() not in ("true", "false"):
        truth = "true" if text.lower() in ("yes", "on") else "false"
        return f"{text} is {truth} in YAML; {quoted}, if it is a name, else write {truth}"
    if kind == "timestamp":
        return f"{text} is a date in YAML; {quoted}"
    if kind == "str" and re.fullmatch("[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?", text):
        return f"{text} is text in YAML; write the number with a point: {text.replace(',', '.')}"
    return ""


def _written_out(content):
    """Content without values that stand in several places, of which one would change with the other."""
    if isinstance(content, dict):
        return {key: _written_out(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_written_out(value) for value in content]
    return content


def _values(node: yaml.Node | None, known: dict) -> float:
    """Number of values below a node with aliases written out; a few lines of them can be billions."""
    if id(node) not in known:
        known[id(node)] = math.inf  # an alias inside its own anchor has no end
        entries = node.value if isinstance(node, yaml.CollectionNode) else []
        pairs = isinstance(node, yaml.MappingNode)
        inner = [n for pair in entries for n in pair] if pairs else entries
        known[id(node)] = 1 + sum(_values(n, known) for n in inner)
    return known[id(node)]


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice instead of keeping the last, and huge integers."""

    def refuse_keys_given_twice(self, node: yaml.Node, seen: set) -> None:
        """As written, before ``<<: *anchor`` puts the keys of the anchor beside a mapping's own."""
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for inner in node.value:
                self.refuse_keys_given_twice(inner, seen)
            return
        keys = []
        for key_node, inner in node.value:
            merge = key_node.tag == _MERGE
            key = "<<" if merge else self.construct_object(key_node, deep=True)
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            keys.append(key)
            self.refuse_keys_given_twice(inner, seen)

    def construct_integer(self, node):
        value = self.construct_yaml_int(node)
        if abs(value) > LARGEST:
            raise yaml.constructor.ConstructorError(
                None, None, f"an integer is beyond {LARGEST:.0e}", node.start_mark
            )
        return value


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_integer)
# YAML 1.1 reads 1e-6 as text; take it as the number it is meant to be
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
