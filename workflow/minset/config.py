"""Reading and checking of system and study files, before any job runs."""

import math
import re
from pathlib import Path

import jsonschema
import yaml

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
        raise ConfigError("\n".join(mistakes))
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
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ConfigError(f"{path} does not exist; there are: {known}")
    try:
        content = yaml.load(path.read_text(), Loader=_StrictLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    schema = _schema(kind)
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(content), key=str)
    if errors:
        # several missing keys of one place are one error each, and one line
        lines = dict.fromkeys(f"{path}: {_in_words(e)}" for e in errors)
        raise ConfigError("\n".join(lines))
    _fill_defaults(content, schema, schema)
    return content


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice instead of keeping the last."""

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


# YAML 1.1 reads 1e-6 as text; take it as the number it is meant to be
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


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
        matches = jsonschema.Draft202012Validator(schema["if"]).is_valid(content)
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
    where = ".".join(str(p) for p in error.absolute_path)
    prefix = f"{where}: " if where else ""
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
        return f"{prefix}{error.instance!r} is not known; choose from {choices}"
    if error.validator == "oneOf":
        choices = [
            repr(s["const"]) if "const" in s else f"a {s['type']}" for s in error.validator_value
        ]
        return f"{prefix}{error.instance!r} is not possible; give {' or '.join(choices)}"
    return f"{prefix}{error.message}"


def _system_mistakes(system: dict) -> list[str]:
    """Mistakes within one system file that a schema cannot see."""
    mistakes = []
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
