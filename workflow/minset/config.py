"""Reading and checking of system and study files, before any job runs."""

import functools
import math
import re
import shlex
from pathlib import Path

import jsonschema
import yaml
from ase.data import atomic_numbers

from minset.label import LABELERS
from minset.model import MODELS
from minset.pool import GENERATORS, pool_runs
from minset.select import SELECTORS
from minset.system import (
    POTENTIALS,
    composition,
    density_fit_at,
    ions_per_formula,
    mass_of,
    pair_names,
    reference_density_g_cm3,
)
from minset.units import volume_A3

REGISTRIES = {
    "generators": GENERATORS,
    "labelers": LABELERS,
    "models": MODELS,
    "potentials": POTENTIALS,
    "selectors": SELECTORS,
}
_SCHEMAS = Path(__file__).parents[1] / "schemas"
# of numbers, so that nothing computed from them is infinite, and of values in a file
_LARGEST, _MOST_VALUES = 10**15, 10_000


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
    rule = _schema("study")["$defs"]["study_name"]
    if not _Validator(rule).is_valid(name):
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
        mistakes += [f"{system_path}: {m}" for m in _system_mistakes(system)]
        if not mistakes:
            mistakes += [f"{path}: {m}" for m in _study_mistakes(study, system, system_path)]
    if mistakes:
        raise ConfigError("\n".join(map(_one_line, mistakes)))
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


def cell_edge_A(system: dict, ions: int, density: float) -> float:
    """Edge of the cube that holds ``ions`` ions at a density in g/cm^3."""
    return volume_A3(mass_of(system, composition(system, ions)), density) ** (1 / 3)


def simulation_density(system: dict, simulation: dict) -> float:
    """Density in g/cm^3 at which a simulation starts."""
    if simulation["density_g_cm3"] != "experiment":
        return simulation["density_g_cm3"]
    fit = density_fit_at(system, simulation["temperature_K"])
    return float(reference_density_g_cm3(fit, simulation["temperature_K"]))


def held_out_runs(study: dict) -> list[str]:
    """Names of the pool's runs that serve the test set alone."""
    temperatures = study["test"].get("temperatures_K", [])
    return [r["name"] for r in pool_runs(study["pool"]) if r["temperature_K"][0] in temperatures]


def _read(path: Path, kind: str) -> dict:
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ConfigError(f"{path} does not exist; there are: {known}")
    content = _parse(path)
    schema = _schema(kind)
    # several missing keys of one place are one error each, and one line
    errors = _Validator(schema).iter_errors(content)
    if lines := {f"{path}: {_one_line(_in_words(error))}" for error in errors}:
        raise ConfigError("\n".join(sorted(lines)))
    _fill_defaults(content, schema, schema)
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
        raise ConfigError(f"{path} is not valid YAML: {_one_line(str(error))}") from error


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
        if abs(value) > _LARGEST:
            raise yaml.constructor.ConstructorError(
                None, None, f"an integer is beyond {_LARGEST:.0e}", node.start_mark
            )
        return value


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_integer)
# YAML 1.1 reads 1e-6 as text; take it as the number it is meant to be
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _is_number(_, value) -> bool:
    """Finite, and neither true nor false."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= _LARGEST


def _is_integer(checker, value) -> bool:
    """JSON Schema takes 32.0 for an integer; then it would be part of file names."""
    return isinstance(value, int) and _is_number(checker, value)


def _matches(_, pattern: str, value, schema: dict):
    """Of `pattern`: the whole text; Python's `$` would let a line break through at its end."""
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern}")


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _matches},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


@functools.cache
def _schema(kind: str) -> dict:
    schema = yaml.safe_load((_SCHEMAS / f"{kind}.schema.yaml").read_text())

    def with_registries(node):
        if isinstance(node, dict):
            node = {k: with_registries(v) for k, v in node.items()}
            if isinstance(node.get("registry"), str):
                node["enum"] = sorted(REGISTRIES[node.pop("registry")])
        elif isinstance(node, list):
            node = [with_registries(v) for v in node]
        return node

    return with_registries(schema)


def _fill_defaults(content, schema: dict, root: dict) -> None:
    """Put the schema's defaults where the file says nothing."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]] | schema
    if not isinstance(content, dict):
        return
    if "if" in schema:
        matches = _Validator(schema["if"]).is_valid(content)
        _fill_defaults(content, schema["then" if matches else "else"], root)
    for key, inner in schema.get("properties", {}).items():
        if "default" in inner and key not in content:
            default = inner["default"]
            content[key] = default.copy() if isinstance(default, dict | list) else default
        if key in content:
            _fill_defaults(content[key], inner, root)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for key in content:
            if key not in schema.get("properties", {}):
                _fill_defaults(content[key], others, root)


def _in_words(error: jsonschema.ValidationError) -> str:
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


def _one_line(text: str) -> str:
    """Text without line breaks, and without characters that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _system_mistakes(system: dict) -> list[str]:
    """Mistakes within one system file that a schema cannot see."""
    unknown = [s for s in system["species"] if not atomic_numbers.get(s)]
    mistakes = [f"species.{s}: there is no such element" for s in unknown]
    pairs = system["potential"]["pairs"]
    named = {frozenset(name.split("-")) for name in pairs}
    for name in pair_names(system):
        if frozenset(name.split("-")) not in named:
            mistakes.append(f"potential.pairs: parameters of {name} are missing")
    for name in pairs:
        if unknown := sorted(set(name.split("-")) - set(system["species"])):
            mistakes.append(f"potential.pairs.{name}: {', '.join(unknown)} is not in species")
        other = "-".join(reversed(name.split("-")))
        if name > other and other in pairs:
            mistakes.append(f"potential.pairs.{name}: the same pair as {other}; keep one")
    charge = sum(s["charge"] * s["count"] for s in system["species"].values())
    if abs(charge) > 1e-9:
        mistakes.append(f"species: one formula unit has a charge of {charge:+g} e, it must be 0")
    for number, fit in enumerate(system["reference"]["density"]):
        where = f"reference.density.{number}"
        if fit["min_K"] > fit["max_K"]:
            mistakes.append(f"{where}: min_K is above max_K")
        for limit in ("min_K", "max_K"):
            density = fit["a_g_cm3"] - fit["b_g_cm3_K"] * fit[limit]
            if density <= 0:
                mistakes.append(f"{where}: {density:g} g/cm^3 at {limit}, it must be positive")
    return mistakes


def _study_mistakes(study: dict, system: dict, system_path: Path) -> list[str]:
    """Mistakes of a study in view of one of its systems."""
    mistakes = []
    for key, ions in [("pool.ions", study["pool"]["ions"])] + [
        (f"simulations.{n}.ions", s["ions"]) for n, s in study["simulations"].items()
    ]:
        try:
            composition(system, ions)
        except ValueError as error:
            mistakes.append(f"{key}: {error}")
    pool = study["pool"]
    if keys := _pool_keys_mistakes(pool):
        mistakes += keys
    else:
        mistakes += _pool_size_mistakes(study)
    for name, options in study["selectors"].items():
        kind = options.get("selector", name)
        if kind not in SELECTORS:
            mistakes.append(
                f"selectors.{name}: no selector of that name; choose from "
                f"{', '.join(sorted(SELECTORS))}, or name one with `selector:`"
            )
        place = ("properties", "selectors", "additionalProperties")
        mistakes += _foreign_keys(f"selectors.{name}", kind, options, *place)
    for key in ("sizes", "selectors"):
        for value in study["more_seeds"].get(key, []):
            if value not in study[key]:
                mistakes.append(f"more_seeds.{key}: {value} is not among the study's {key}")
    for seed in set(study["more_seeds"]["seeds"]) & set(study["seeds"]):
        mistakes.append(f"more_seeds.seeds: {seed} is among the study's seeds already")
    labeler = LABELERS[study["labels"]["labeler"]]
    for key in study["labels"]["settings"]:
        if key not in labeler.study_settings:
            mistakes.append(
                f"labels.settings.{key}: the labeler {labeler.name} has no such setting; it takes "
                f"{', '.join(sorted(labeler.study_settings))}"
            )
    try:
        shlex.split(study["labels"]["settings"].get("command", ""))
    except ValueError as error:
        mistakes.append(f"labels.settings.command: {error}")
    if study["labels"]["labeler"] == "cp2k":
        kinds = system.get("cp2k", {}).get("kinds", {})
        for species in system["species"]:
            if species not in kinds:
                mistakes.append(f"labels.labeler: cp2k needs cp2k.kinds.{species} in {system_path}")
    for name, simulation in study["simulations"].items():
        mistakes += [
            f"simulations.{name}.{m}" for m in _simulation_mistakes(study, system, simulation)
        ]
    return mistakes


def _foreign_keys(where: str, kind: str, given: dict, *place: str) -> list[str]:
    """Keys that are `only` for other kinds, in the study's schema below ``place``."""
    node = _schema("study")
    for key in place:
        node = node[key]
    return [
        f"{where}.{key}: a key of {' and '.join(only)}, not of {kind}"
        for key, content in node["properties"].items()
        if (only := content.get("only")) and kind not in only and key in given
    ]


def _pool_keys_mistakes(pool: dict) -> list[str]:
    """Keys of another generator than the pool's, and keys that the generator lacks."""
    generator, place = pool["generator"], ("$defs", "pool")
    mistakes = _foreign_keys("pool", generator, pool, *place)
    keys = _schema("study")["$defs"]["pool"]["properties"]
    missing = [k for k, c in keys.items() if generator in c.get("only", []) and k not in pool]
    if missing:
        mistakes.append(f"pool: missing key {', '.join(missing)}; {generator} needs it")
    return mistakes


def _pool_size_mistakes(study: dict) -> list[str]:
    """Frames that do not fit the duration of a run, and sizes that the pool cannot serve."""
    pool, mistakes = study["pool"], []
    frames, runs = pool["frames"], len(pool_runs(pool))
    steps = pool["duration_ps"] * 1000 / pool["timestep_fs"] / frames
    if steps < 1:
        mistakes.append(
            f"pool.frames: {frames} frames in {pool['duration_ps']:g} ps are closer than one time "
            f"step; lengthen pool.duration_ps"
        )
    elif abs(steps - round(steps)) > 1e-6:
        whole_ps = math.ceil(steps) * frames * pool["timestep_fs"] / 1000
        mistakes.append(
            f"pool.frames: {frames} frames in {pool['duration_ps']:g} ps are {steps:.2f} time steps "
            f"apart, which must be a whole number; {whole_ps:g} ps would do"
        )
    set_apart = len(held_out_runs(study))
    for temperature in study["test"].get("temperatures_K", []):
        if temperature not in pool.get("temperatures_K", []):
            mistakes.append(
                f"test.temperatures_K: {temperature:g} K is not among pool.temperatures_K, whose runs "
                "serve the test alone when named here"
            )
    free = (runs - set_apart) * frames - study["validation"]["frames"]
    if not set_apart:
        free -= study["test"]["frames"]
    each = f" of {runs - set_apart} runs" if runs > 1 else ""
    for size in study["sizes"]:
        if size > free:
            mistakes.append(
                f"sizes: {size} frames cannot be selected from {free} (pool.frames{each} less test "
                f"and validation); raise pool.frames"
            )
    return mistakes


def _simulation_mistakes(study: dict, system: dict, simulation: dict) -> list[str]:
    mistakes = []
    temperature = simulation["temperature_K"]
    if simulation["density_g_cm3"] == "experiment" and density_fit_at(system, temperature) is None:
        ranges = ", ".join(
            f"{f['name']} {f['min_K']:g}-{f['max_K']:g} K" for f in system["reference"]["density"]
        )
        mistakes.append(
            f"temperature_K: {temperature:g} K is outside every density fit of {system['name']} "
            f"({ranges}); change it or give density_g_cm3 as a number"
        )
    elif simulation["ensemble"] != "npt" and simulation["ions"] % ions_per_formula(system) == 0:
        edge = cell_edge_A(system, simulation["ions"], simulation_density(system, simulation))
        if study["rdf"]["range_A"] > edge / 2:
            mistakes.append(
                f"ions: {simulation['ions']} ions make a cell of {edge:.2f} A, and rdf.range_A of "
                f"{study['rdf']['range_A']:g} A is more than half of it; use more ions or a range of "
                f"at most {edge / 2:.2f} A"
            )
    lags_ps = 10 * study["transport"]["start_ps"]
    transport = {"transport", "mdsuite"} & set(simulation["observables"])
    if simulation["ensemble"] != "npt" and transport and simulation["duration_ps"] < lags_ps:
        mistakes.append(
            f"duration_ps: {simulation['duration_ps']:g} ps is less than ten times "
            f"transport.start_ps; run at least {lags_ps:g} ps"
        )
    for key in ("sizes", "selectors", "seeds", "models"):
        known = [*study[key], *(study["more_seeds"]["seeds"] if key == "seeds" else [])]
        for value in simulation.get(key, []):
            if value not in known:
                names = ", ".join(map(str, known))
                mistakes.append(f"{key}: {value} is not among the study's {key} ({names})")
    return mistakes
