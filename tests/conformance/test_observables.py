"""Every entry of OBSERVABLES: its tables of real runs, whole, broken, tilted and without charges."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from conformance.examples import DIMENSIONLESS, MAY_BE_MISSING, UNITS, observable_settings
from minset.config.schema import schema_file
from minset.files import write_csv
from minset.md.files import THERMO, TRAJECTORY
from minset.observe import OBSERVABLES
from minset.outputs import TABLES, collected_tables

REPOSITORY = Path(__file__).parents[2]
# another environment takes ten seconds to start: once here, the rest is in its own tests
HERE = [name for name, record in OBSERVABLES.items() if record.environment == "minset"]
OF_TRAJECTORIES = [name for name, record in OBSERVABLES.items() if record.of == "trajectory"]
OF_ENGINES = [name for name, record in OBSERVABLES.items() if record.of == "engine"]
COLLECTED = [(name, t) for name, record in OBSERVABLES.items() for t in record.experiment]


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
                found = np.isfinite(table[column]).any()
                assert found or column in MAY_BE_MISSING, (file, column)
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
    again = OBSERVABLES[name].observe(files, system, observable_settings(name), 1)
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
    tables = OBSERVABLES[name].observe(broken, system, observable_settings(name), 1)
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
    settings = observable_settings(name)
    long = {"ions": 1000, "duration_ps": 1e4, "temperature_K": 1200, "sample_ps": 0.05}
    for edge_A in (None, 100.0):
        assert record.mistakes(settings, long, edge_A) == []
    keys = schema_file("study")["properties"]["simulations"]["additionalProperties"]["properties"]
    for line in record.mistakes(settings, long | {"ions": 2, "duration_ps": 0.01}, 3.0):
        assert line.split(":")[0] in keys
        assert "\n" not in line


@pytest.mark.parametrize("name", OF_ENGINES)
def test_mistakes_of_what_is_of_an_engine_begin_with_one_of_its_keys(name, kcl, al):
    record, settings = OBSERVABLES[name], observable_settings(name)
    for system in (kcl, al):
        assert record.mistakes(settings, system, 6.0) == []
    foreign = {"structures": ["rocksalt"], "facets": ["rocksalt100"]}
    lines = record.mistakes(settings | foreign, al, 1000.0)
    assert lines
    for line in lines:
        assert line.split(":")[0] in record.options
        assert "\n" not in line


@pytest.mark.parametrize("name", OF_ENGINES)
def test_what_is_of_an_engine_is_of_trained_models_too(name, kcl, model_folder):
    tables = OBSERVABLES[name].observe({"model": model_folder}, kcl, observable_settings(name), 1)
    assert list(tables) == list(OBSERVABLES[name].tables)
    assert all(len(table) for table in tables.values())


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
