"""Every entry of OBSERVABLES: its tables of real runs, whole, broken, tilted and without charges."""

import functools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import classically_labelled
from examples import DIMENSIONLESS, UNITS, options_of
from force_calls import off_its_sites

from minset.config.schema import schema_file
from minset.dataset import write_dataset
from minset.files import write_csv
from minset.md.engines import classical_engine
from minset.md.files import THERMO, TRAJECTORY
from minset.md.melt import melt
from minset.md.run import Protocol, run_md
from minset.observe import OBSERVABLES
from minset.outputs import TABLES, collected_tables

REPOSITORY = Path(__file__).parents[2]
TIMESTEP_FS, DURATION_PS, SAMPLE_PS = 2.0, 8.0, 0.05
# another environment takes ten seconds to start: once here, the rest is in its own tests
HERE = [name for name, record in OBSERVABLES.items() if record.environment == "minset"]
OF_TRAJECTORIES = [name for name, record in OBSERVABLES.items() if record.of == "trajectory"]
COLLECTED = [(name, t) for name, record in OBSERVABLES.items() for t in record.experiment]


def settings_of(name: str) -> dict:
    """What a job gets: temperature, time step, complete options, and another environment's python."""
    record = OBSERVABLES[name]
    settings = {"temperature_K": 1200.0, "timestep_fs": TIMESTEP_FS}
    for other in (name, *record.options_of):
        settings |= options_of("OBSERVABLES", other, OBSERVABLES[other])
    if record.environment != "minset":
        place = REPOSITORY / f".venv-{record.environment}/bin/python"
        python = Path(os.environ.get(f"MINSET_{record.environment.upper()}_PYTHON", place))
        if not python.exists():
            pytest.skip(f"no environment of {record.environment}: {python} is missing")
        settings["python"] = str(python)
    return settings


@pytest.fixture(scope="module")
def simulated(kcl, al, melt32, tmp_path_factory):
    """A function that gives system and source of a short run of a case in an ensemble."""
    cases = {
        "salt": lambda: (kcl, melt32),
        "tilted": lambda: (kcl, off_its_sites(melt32)),
        "metal": lambda: (al, melt(al, 64, 2.3, 1200.0, duration_ps=1.0, seed=1)),
    }

    @functools.cache
    def run(case: str, ensemble: str):
        system, start = cases[case]()
        folder = tmp_path_factory.mktemp(case)
        protocol = Protocol(
            ensemble, (1200.0, 1200.0), DURATION_PS, TIMESTEP_FS, SAMPLE_PS, 0.02, seed=1
        )
        verdict = run_md(start, system, classical_engine(), protocol, folder)
        assert verdict["stable"], verdict["reason"]
        files = {"trajectory": folder / TRAJECTORY, "thermo": folder / THERMO}
        return system, files | {"verdict": verdict}

    return run


@pytest.fixture(scope="module")
def source(simulated, model_folder, small_pool, kcl, tmp_path_factory):
    """A function that gives what an observable looks at, of a case."""

    def of(name: str, case: str = "salt"):
        record = OBSERVABLES[name]
        if record.of == "trajectory":
            return simulated(case, record.ensembles[0])
        assert record.of == "model", f"these tests have nothing for an observable of {record.of}"
        folder = tmp_path_factory.mktemp("test")
        write_dataset(folder / "test.xyz", classically_labelled(small_pool[1][:3], kcl, folder))
        return kcl, {"model": model_folder, "test": folder / "test.xyz"}

    return of


@pytest.fixture(scope="module")
def observed(source):
    """A function that gives the tables of an observable for a case, computed once."""

    @functools.cache
    def of(name: str, case: str = "salt") -> dict:
        system, files = source(name, case)
        return OBSERVABLES[name].observe(files, system, settings_of(name), 1)

    return of


@pytest.mark.parametrize("name", OBSERVABLES)
def test_all_its_tables_have_rows_and_columns_with_units(name, observed, tmp_path):
    tables = observed(name)
    assert list(tables) == list(OBSERVABLES[name].tables)
    for file, table in tables.items():
        assert len(table)
        for column in table:
            assert column.isascii()
            assert " " not in column
            if pd.api.types.is_float_dtype(table[column]):
                assert np.isfinite(table[column]).any(), (file, column)
                assert column.endswith(UNITS) or column in DIMENSIONLESS, (
                    f"column {column} of {file} has no unit in its name; one that has none is named in "
                    "DIMENSIONLESS of examples.py"
                )
        write_csv(tmp_path / "table.csv", table)
        again = pd.read_csv(tmp_path / "table.csv")
        pd.testing.assert_frame_equal(again, table, check_dtype=False)


@pytest.mark.parametrize("name", HERE)
def test_the_same_source_gives_the_same_tables(name, source, observed):
    system, files = source(name)
    again = OBSERVABLES[name].observe(files, system, settings_of(name), 1)
    for file, table in observed(name).items():
        pd.testing.assert_frame_equal(again[file], table, check_exact=True)


@pytest.mark.parametrize("name", OF_TRAJECTORIES)
def test_a_run_that_broke_at_once_has_tables_without_rows(name, simulated, tmp_path, capsys):
    system, files = simulated("salt", OBSERVABLES[name].ensembles[0])
    lines = files["trajectory"].read_text().splitlines(keepends=True)
    (tmp_path / TRAJECTORY).write_text("".join(lines[: 2 * (9 + 32)]))
    pd.read_csv(files["thermo"])[:3].to_csv(tmp_path / THERMO, index=False)
    verdict = files["verdict"] | {"stable": False, "reason": "at 0.1 ps: a force of 99 eV/A"}
    broken = {"trajectory": tmp_path / TRAJECTORY, "thermo": tmp_path / THERMO, "verdict": verdict}
    tables = OBSERVABLES[name].observe(broken, system, settings_of(name), 1)
    assert list(tables) == list(OBSERVABLES[name].tables)
    assert "broke" in capsys.readouterr().out
    for file, table in tables.items():
        write_csv(tmp_path / f"{file}.csv", table)
        assert len(pd.read_csv(tmp_path / f"{file}.csv")) == 0


@pytest.mark.parametrize("case", ["tilted", "metal"])
@pytest.mark.parametrize("name", [name for name in OF_TRAJECTORIES if name in HERE])
def test_tilted_cells_and_atoms_without_charges_have_their_tables(name, case, observed):
    """As the salt in its cube has them, or without rows and with a line that says why."""
    tables, usual = observed(name, case), observed(name)
    assert list(tables) == list(usual)
    for file, table in tables.items():
        if len(table):
            # what does not diffuse has a note
            assert set(usual[file]) - {"note"} <= set(table), file
        else:
            assert "note" in table


@pytest.mark.parametrize("name", OBSERVABLES)
def test_what_it_needs_is_said_of_any_system(name, kcl, al):
    record = OBSERVABLES[name]
    for system in (kcl, al, {"species": kcl["species"]}):
        reason = record.needs(system)
        assert isinstance(reason, str)
        assert "\n" not in reason
    assert record.needs(kcl) == ""


@pytest.mark.parametrize("name", OF_TRAJECTORIES)
def test_its_mistakes_begin_with_a_key_of_the_simulation(name):
    record = OBSERVABLES[name]
    settings = settings_of(name)
    long = {"ions": 1000, "duration_ps": 1e4, "temperature_K": 1200, "sample_ps": 0.05}
    for edge_A in (None, 100.0):
        assert record.mistakes(settings, long, edge_A) == []
    keys = schema_file("study")["properties"]["simulations"]["additionalProperties"]["properties"]
    for line in record.mistakes(settings, long | {"ions": 2, "duration_ps": 0.01}, 3.0):
        assert line.split(":")[0] in keys
        assert "\n" not in line


@pytest.mark.parametrize("name", OF_TRAJECTORIES)
def test_it_is_of_ensembles_that_there_are(name):
    ensembles = schema_file("study")["properties"]["simulations"]["additionalProperties"]
    there = ensembles["properties"]["ensemble"]["enum"]
    assert set(OBSERVABLES[name].ensembles) <= set(there)
    assert OBSERVABLES[name].ensembles


@pytest.mark.parametrize(("name", "table"), COLLECTED)
def test_rows_of_the_experiment_have_the_columns_of_the_table(name, table, observed):
    reference = yaml.safe_load((REPOSITORY / "config/systems/kcl.yaml").read_text())["reference"]
    key, rows_at = OBSERVABLES[name].experiment[table]
    fit = reference[key]
    rows = rows_at({key: fit}, 1100.0)
    assert rows
    columns = {"source"}
    for other, file, _ in collected_tables()[table]:
        columns |= set(observed(other)[file])
    for row in rows:
        assert set(row) <= columns
        assert row["source"]
        assert all(np.isfinite(v) for v in row.values() if isinstance(v, float))
    assert rows_at({key: fit}, 9e4) == [], "beyond the range of the fit"
    assert rows_at({}, 1100.0) == []


@pytest.mark.parametrize("table", collected_tables())
def test_what_is_collected_of_several_observables_has_the_same_columns(table, observed):
    tables = [observed(name)[file] for name, file, _ in collected_tables()[table]]
    shared = set.intersection(*[set(t) for t in tables])
    assert any(pd.api.types.is_float_dtype(tables[0][column]) for column in shared)
    assert TABLES[table].caption


@pytest.mark.parametrize("name", OBSERVABLES)
def test_its_cost_does_not_fall_with_the_atoms(name):
    record = OBSERVABLES[name]
    for cost in (record.seconds, record.megabytes):
        assert 0 <= cost(1e4) <= cost(1e6)
