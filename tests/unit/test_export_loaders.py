"""The exported data as MACE, NequIP, DeePMD-kit and dpdata read it, with their own loaders.

None of them is in minset's environments: a test runs in the Python that a variable names
(``MINSET_MACE_PYTHON=~/mace/bin/python``), and is skipped where there is no such environment.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.export.datasets import write_all

# each prints a list of frames, as lists: numbers, positions, cell, energy, forces, stress or virial
LOADERS = {
    "mace": """
import logging
logging.disable()
from mace.data.utils import KeySpecification, load_from_xyz, update_keyspec_from_kwargs
keys = {f"{k}_key": f"REF_{k}" for k in ("energy", "forces", "stress")}
spec = update_keyspec_from_kwargs(KeySpecification.from_defaults(), keys)
_, frames = load_from_xyz("ref/train-ref.extxyz", spec)
rows = [dict(f.properties, numbers=f.atomic_numbers, positions=f.positions, cell=f.cell) for f in frames]
""",
    "nequip": """
import torch
torch.set_default_dtype(torch.float64)
from nequip.data.datamodule import ASEDataModule
module = ASEDataModule(
    seed=1,
    train_file_path="extxyz/train.extxyz",
    val_file_path="extxyz/validation.extxyz",
    test_file_path=["extxyz/test.extxyz"],
)
module.prepare_data()
module.setup("fit")
(frames,) = module.train_dataset
names = {"atomic_numbers": "numbers", "pos": "positions", "total_energy": "energy"}
rows = [{names.get(k, k): v.numpy() for k, v in frame.items()} for frame in frames]
""",
    "deepmd": """
from deepmd.utils.data import DeepmdData
rows = []
for folder in sorted(Path("deepmd/train").iterdir()):
    data = DeepmdData(str(folder), type_map=["O", "Na", "Cl", "K"], shuffle_test=False)
    for key, ndof, atomic in (("energy", 1, False), ("force", 3, True), ("virial", 9, False)):
        data.add(key, ndof, atomic=atomic, must=True, high_prec=True)
    read = data.get_test()
    for k in range(len(read["energy"])):
        rows.append({
            "numbers": [[8, 11, 17, 19][t] for t in read["type"][k]],
            "positions": read["coord"][k].reshape(-1, 3), "cell": read["box"][k].reshape(3, 3),
            "energy": read["energy"][k], "forces": read["force"][k].reshape(-1, 3),
            "virial": read["virial"][k].reshape(3, 3),
        })
""",
    "dpdata": """
import dpdata
rows = []
for folder in sorted(Path("deepmd/train").iterdir()):
    data = dpdata.LabeledSystem(str(folder), fmt="deepmd/npy").data
    numbers = [{"Na": 11, "Cl": 17, "K": 19}[data["atom_names"][t]] for t in data["atom_types"]]
    for k in range(len(data["energies"])):
        rows.append({
            "numbers": numbers, "positions": data["coords"][k], "cell": data["cells"][k],
            "energy": data["energies"][k], "forces": data["forces"][k], "virial": data["virials"][k],
        })
""",
}
START = "import json\nimport numpy as np\nfrom pathlib import Path\n"
END = """
keys = ("numbers", "positions", "cell", "energy", "forces", "stress", "virial")
print(json.dumps([{k: np.asarray(row[k]).tolist() for k in keys if k in row} for row in rows]))
"""


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    """Labelled frames in cells that are no bricks, of two compositions, species in no order."""
    rng, made = np.random.default_rng(3), []
    for symbols in ("KClNaCl", "KClNaCl", "ClK"):
        cell = 6 * np.eye(3) + rng.normal(size=(3, 3))
        atoms = Atoms(symbols, cell=cell, pbc=True)
        atoms.set_scaled_positions(rng.random((len(atoms), 3)))
        labels = {"energy": -1e3 * rng.random(), "forces": rng.normal(size=(len(atoms), 3))}
        labels["stress"] = rng.normal(size=6)
        atoms.calc = SinglePointCalculator(atoms, **labels)
        made.append(atoms)
    return made


def interpreter_with(tool: str) -> str:
    """A Python that has one of the tools; skips the test where there is none."""
    variable = f"MINSET_{tool.upper()}_PYTHON"
    python = os.path.expanduser(os.environ.get(variable, sys.executable))
    looks = f"import importlib.util as u, sys; sys.exit(u.find_spec({tool!r}) is None)"
    if subprocess.run([python, "-c", looks]).returncode:
        pytest.skip(f"{python} has no {tool}, so its loader is not run; name one in {variable}")
    return python


@pytest.mark.parametrize("tool", LOADERS)
def test_the_data_is_read_by_the_loader_of(tool, frames, tmp_path):
    python = interpreter_with(tool)
    write_all(dict.fromkeys(("train", "validation", "test"), frames), tmp_path)
    code = START + LOADERS[tool] + END
    done = subprocess.run(
        [python, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    read = json.loads(done.stdout.splitlines()[-1])
    assert len(read) == len(frames)
    for row in read:
        same_label(row, nearest(frames, float(np.squeeze(row["energy"]))))


def nearest(frames: list[Atoms], energy_eV: float) -> Atoms:
    """The frame of an energy: tools put frames in an order of their own."""
    return min(frames, key=lambda frame: abs(frame.get_potential_energy() - energy_eV))


def same_label(row: dict, frame: Atoms) -> None:
    """What a tool read of a frame, its atoms perhaps sorted, is what the frame has."""
    assert np.squeeze(row["energy"]) == pytest.approx(frame.get_potential_energy(), abs=1e-9)
    assert np.allclose(np.squeeze(row["cell"]), frame.cell[:], atol=1e-9)
    there = frame.positions[:, None] - np.array(row["positions"])
    order = np.linalg.norm(there, axis=-1).argmin(axis=0)
    assert np.allclose(row["positions"], frame.positions[order], atol=1e-7)
    assert list(row["numbers"]) == list(frame.numbers[order])
    assert np.allclose(row["forces"], frame.get_forces()[order], atol=1e-9)
    stress = frame.get_stress(voigt=False)
    assert {"stress", "virial"} & set(row)
    if "stress" in row:
        assert np.allclose(np.squeeze(row["stress"]), stress, atol=1e-9)
    if "virial" in row:
        assert np.allclose(row["virial"], -frame.cell.volume * stress, atol=1e-9)
