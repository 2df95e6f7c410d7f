"""A study of the user's own labelled frames: no potential, no DFT code, to MD with the model."""

import ase.io
import numpy as np
import pandas as pd
import pytest
from running import clone_repository, planned, snakemake

SYSTEM = """
name: KCl
species:
  K: {charge: 1, count: 1}
  Cl: {charge: -1, count: 1}
"""
STUDY = """
description: frames with labels
systems: [mine]
pool: {generator: files, path: "frames/*.xyz", energy_key: REF_energy, forces_key: REF_forces}
test: {frames: 6, seed: 2}
validation: {frames: 3, seed: 3}
descriptors: {size: small}
selectors: {rnd: {max_steps: 20}}
sizes: [8]
seeds: [1]
labels: {labeler: given}
models:
  small:
    size: small
    training: {batch_size: 2, learning_rate: 2.0e-3, max_epochs: 40, stress_weight: 10}
simulations:
  nvt: {ensemble: nvt, ions: 64, temperature_K: 1200, duration_ps: 2, equilibration_ps: 0.2,
    observables: [rdf], limits: {temperature_percent: 1000, energy_eV_atom: 1000}}
rdf: {range_A: 5.0}
"""


def as_users_keep_them(frames) -> list:
    """Labels under other names and no stress; a copy, a foreign ion and a frame without energy too."""
    images = []
    for frame in frames:
        image = frame.copy()
        image.info = {"REF_energy": frame.get_potential_energy()}
        image.arrays["REF_forces"] = frame.get_forces()
        images.append(image)
    foreign = images[1].copy()
    foreign.symbols[0] = "Br"
    unlabelled = images[2].copy()
    unlabelled.rattle(0.01, seed=1)
    del unlabelled.info["REF_energy"]
    return [*images, images[0].copy(), foreign, unlabelled]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_pool):
    """Results of the system of a clone in which the study has run to its end."""
    frames = as_users_keep_them(small_pool[1])
    folder = clone_repository(tmp_path_factory.mktemp("clone"))
    (folder / "config/systems/mine.yaml").write_text(SYSTEM)
    (folder / "config/studies/frames.yaml").write_text(STUDY)
    (folder / "frames").mkdir()
    ase.io.write(folder / "frames/a.xyz", frames[:25], format="extxyz")
    ase.io.write(folder / "frames/b.xyz", frames[25:], format="extxyz")
    done = snakemake(folder, "frames", "--cores", "2", seconds=400)
    assert done.status == 0, done.output[-5000:]
    return folder / "results/mine"


def test_what_cannot_be_used_is_told_with_its_reason(finished):
    runs = pd.read_csv(finished / "pool/frames/runs.csv")
    assert runs["frames"].tolist() == [41]
    reason = runs["reason"].item()
    assert "1 are a copy of an earlier one" in reason
    assert "1 hold Br, which the system does not" in reason
    assert "no frame has stress" in reason


def test_a_frame_without_energy_serves_nothing(finished):
    roles = pd.read_csv(finished / "selection/frames/split.csv")["role"]
    assert roles.value_counts().to_dict() == {
        "candidate": 31,
        "test": 6,
        "validation": 3,
        "unused": 1,
    }


def test_labels_are_those_of_the_files(finished, small_pool):
    labels = pd.read_csv(finished / "table/frames/labels.csv")
    assert (labels["status"] == "labelled").all()
    assert len(labels) == 6 + 3 + 8
    known = {frame.positions.tobytes() for frame in small_pool[1]}
    for image in ase.io.read(finished / "dataset/frames/rnd-n8-s1/train.extxyz", ":"):
        assert set(image.calc.results) == {"energy", "forces"}
        nearest = min(small_pool[1], key=lambda f: np.abs(f.positions - image.positions).max())
        assert np.allclose(nearest.get_forces(), image.get_forces(), atol=1e-3)
    assert len(known) == 40


def test_the_model_is_tested_and_runs_from_a_frame_of_the_files(finished):
    errors = pd.read_csv(finished / "table/frames/errors.csv")
    assert errors["force_rmse_eV_A"].item() < 0.5 * errors["force_label_rms_eV_A"].item()
    stability = pd.read_csv(finished / "table/frames/stability.csv")
    assert stability["engine"].tolist() == ["rnd-n8-s1-small"]
    start = ase.io.read(finished / "simulation/frames/nvt/start.extxyz")
    assert len(start) == 64
    assert (finished / "figure/frames/rdf.png").exists()


def test_a_file_that_is_added_plans_its_run_and_keeps_the_labels(finished):
    clone = finished.parents[1]
    frames = ase.io.read(clone / "frames/b.xyz", ":")
    for frame in frames:
        frame.rattle(0.02, seed=5)
    ase.io.write(clone / "frames/c.xyz", frames, format="extxyz")
    jobs = planned(clone, "frames")
    assert jobs["pool_run"] == 1
    (clone / "frames/c.xyz").unlink()
    assert planned(clone, "frames") == {}
