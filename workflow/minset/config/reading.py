"""Reading of system and study files, with all defaults filled in, before any job runs."""

import math
import re
from pathlib import Path

import yaml

from minset.config.checks import study_mistakes, system_mistakes
from minset.config.schema import LARGEST, Validator, fill_defaults, in_words, one_line, schema

_MOST_VALUES = 10_000  # of a file


class ConfigError(ValueError):
    """A system or study file that cannot be run, with one line per mistake."""


def load_study(name: str, folder: Path = Path("config")) -> tuple[dict, dict[str, dict]]:
    """Read a study and its systems, with all defaults filled in.

    Parameters
    ----------
    name
        Of ``<folder>/studies/<name>.yaml``.
    folder
        Holds ``studies/`` and ``systems/``.

    Returns
    -------
    study, systems
        ``systems`` maps the names in ``study["systems"]`` to the content of their files.

    Raises
    ------
    ConfigError
        With file, key and remedy of every mistake found.
    """
    rule = schema("study")["$defs"]["study_name"]
    if not Validator(rule).is_valid(name):
        raise ConfigError(f"study: {name!r} cannot be the name of a study: {rule['description']}")
    path = Path(folder) / "studies" / f"{name}.yaml"
    study = _read(path, "study")
    if "study" in study["pool"]:
        study["pool"] |= _pool_of(study["pool"]["study"], path)
    systems = {}
    for system in study["systems"]:
        systems[system] = _read(Path(folder) / "systems" / f"{system}.yaml", "system")
    mistakes = []
    for system_name, system in systems.items():
        system_path = Path(folder) / "systems" / f"{system_name}.yaml"
        mistakes += [f"{system_path}: {m}" for m in system_mistakes(system)]
        if not mistakes:
            mistakes += [f"{path}: {m}" for m in study_mistakes(study, system, system_path)]
    if mistakes:
        raise ConfigError("\n".join(map(one_line, mistakes)))
    return study, systems


def _pool_of(name: str, path: Path) -> dict:
    """Settings of the pool of another study, for the study at ``path``."""
    try:
        pool = _read(path.with_name(f"{name}.yaml"), "study")["pool"]
    except ConfigError as error:
        raise ConfigError(f"{path}: pool.study: {error}") from error
    if "study" in pool:
        raise ConfigError(
            f"{path}: pool.study: {name} has no pool of its own; name {pool['study']}"
        )
    return pool


def _read(path: Path, kind: str) -> dict:
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ConfigError(f"{path} does not exist; there are: {known}")
    content = _parse(path)
    rules = schema(kind)
    # several missing keys of one place are one error each, and one line
    errors = Validator(rules).iter_errors(content)
    if lines := {f"{path}: {one_line(in_words(error))}" for error in errors}:
        raise ConfigError("\n".join(sorted(lines)))
    fill_defaults(content, rules, rules)
    return content


def _parse(path: Path):
    """Content of a YAML file."""
    try:
        loader = _StrictLoader(path.read_text("utf-8"))
        node = loader.get_single_node()
        if _values(node, {}) > _MOST_VALUES:
            raise yaml.YAMLError(f"with its aliases written out it has over {_MOST_VALUES} values")
        return loader.construct_document(node) if node else None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # PyYAML raises its own and, of bad dates and numbers, many more
        raise ConfigError(f"{path} is not valid YAML: {one_line(str(error))}") from error


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

    def construct_mapping(self, node, deep=False):
        keys = []
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            keys.append(key)
        return super().construct_mapping(node, deep)

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
