"""Errors of models on frames of several compositions and orders."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.dataset import write_dataset
from minset.model import evaluator_of
from minset.observe.errors import RECORD, metrics, predictions


@pytest.fixture(scope="module")
def frames(model_folder) -> list[Atoms]:
    """Three frames, two of the same ions in another order; labels are off by known numbers."""
    rng = np.random.default_rng(41)
    first = Atoms("K4Cl4", positions=rng.uniform(0, 8, (8, 3)), cell=[8, 9, 10], pbc=True)
    order = rng.permutation(8)
    tilted = Atoms("K2Cl", positions=rng.uniform(0, 6, (3, 3)), pbc=True)
    tilted.set_cell([[7, 0, 0], [2, 7, 0], [-1, 1, 8]])
    made = [first, first[order], tilted]
    for number, frame in enumerate(made):
        result = evaluator_of(model_folder, frame.numbers)(frame.positions, np.array(frame.cell))
        frame.info["frame"] = 10 * number
        frame.calc = SinglePointCalculator(
            frame,
            energy=result.energy_eV - 0.002 * len(frame),
            forces=result.forces_eV_A + 0.1,
        )
    return made


def test_each_frame_has_its_own_species_order_and_cell(model_folder, frames, tmp_path):
    write_dataset(tmp_path / "test.extxyz", frames)
    source = {"model": model_folder, "test": tmp_path / "test.extxyz"}
    tables = RECORD.observe(source, {}, {}, 1)
    assert list(tables) == list(RECORD.tables)
    difference = tables["forces"]["model_eV_A"] - tables["forces"]["label_eV_A"]
    # extended XYZ has eight decimals
    np.testing.assert_allclose(difference, -0.1, atol=1e-5)
    row = tables["errors"].squeeze()
    assert row["force_rmse_eV_A"] == pytest.approx(0.1, abs=1e-5)
    assert row["energy_mae_meV_atom"] == pytest.approx(2, abs=1e-3)
    assert row["test_frames"] == 3
    assert tables["energies"]["frame"].tolist() == [0, 10, 20]
    assert tables["forces"].groupby("frame")["atom"].nunique().tolist() == [8, 8, 3]
    assert "".join(tables["forces"]["species"].tail(9)) == "KKKKKKClClCl"


def test_frames_without_a_number_are_counted(model_folder, frames):
    bare = []
    for frame in frames:
        bare.append(frame.copy())
        bare[-1].calc = frame.calc
        bare[-1].info = {}
    forces, energies = predictions(model_folder, bare)
    assert energies["frame"].tolist() == [0, 1, 2]
    assert forces["frame"].unique().tolist() == [0, 1, 2]


def test_metrics_of_known_numbers():
    found = metrics(pd.Series([3.0, -4.0, 0.0, 0.0]))
    assert found["rmse"] == pytest.approx(2.5)
    assert found["mae"] == pytest.approx(7 / 4)
    assert found["l4"] == pytest.approx(((81 + 256) / 4) ** 0.25)
    assert found["max"] == 4
