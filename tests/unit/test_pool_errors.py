"""Errors of a model on a whole pool."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from minset.evaluation import Evaluation
from minset.observe.pool_errors import by_energy, observe_pool_errors
from minset.pool.store import write_pool


def test_errors_of_the_ends_are_of_the_frames_of_lowest_and_highest_energy():
    energies = np.random.default_rng(1).permutation(np.linspace(-5, -4, 50))
    wrong = np.where(energies > -4.21, 0.004, np.where(energies < -4.79, -0.001, 0.1))
    table = pd.DataFrame({"label_eV_atom": energies, "model_eV_atom": energies + wrong})
    assert by_energy(table) == pytest.approx(
        {
            "energy_bias_lowest_fifth_meV_atom": -1.0,
            "energy_mae_lowest_fifth_meV_atom": 1.0,
            "energy_bias_highest_fifth_meV_atom": 4.0,
            "energy_mae_highest_fifth_meV_atom": 4.0,
        }
    )


def test_frames_without_energies_are_refused(tmp_path):
    frames = [
        Atoms("Ni2", [[0, 0, 0], [0, 0, 2.5 + 0.1 * k]], cell=[9] * 3, pbc=True) for k in (0, 1)
    ]
    write_pool(tmp_path / "pool.h5", frames)
    with pytest.raises(ValueError, match=r"2 of 2 frames of .* do not know their energies"):
        observe_pool_errors({"model": tmp_path, "pool": tmp_path / "pool.h5"}, {}, {})


def test_all_frames_count(small_pool, monkeypatch):
    """A model that is wrong by 3 meV/atom and nothing in the forces."""
    path, frames, _ = small_pool
    truth = {frame.positions.tobytes(): frame for frame in frames}

    def evaluator(folder, numbers, threads):
        def call(positions, cell):
            frame = truth[positions.tobytes()]
            energies = np.full(len(frame), frame.get_potential_energy() / len(frame) + 0.003)
            return Evaluation(energies.sum(), energies, frame.get_forces(), np.zeros((3, 3)), None)

        return call

    monkeypatch.setattr("minset.model.evaluator_of", evaluator)
    row = observe_pool_errors({"model": None, "pool": path}, {}, {})["pool_errors"].iloc[0]
    assert row["pool_frames"] == len(frames)
    assert row["energy_mae_meV_atom"] == pytest.approx(3.0)
    assert row["force_max_eV_A"] == 0
