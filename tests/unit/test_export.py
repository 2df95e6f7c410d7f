"""The exported folder: a published model in each tool, and its data read back."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pandas as pd
import pytest
import torch
from ase import Atoms

from minset.calculator import ModelCalculator
from minset.dataset import labelled, write_dataset
from minset.export.folder import write_export
from minset.files import write_json
from minset.label.store import write_label
from minset.md.driver import attach_model
from minset.md.session import load_atoms, open_lammps
from minset.model import baseline_of, learned_evaluator
from minset.model.record import DESCRIPTION
from minset.potential.forces import single_point
from minset.published.frames import LABELS, label_of_block, read_blocks
from minset.units import BOHR_A, HARTREE_EV, KJ_MOL_EV

PUBLISHED = Path(__file__).parents[2] / "results/published/kcl-dft-laptop"
RUN = "entropy_gain-n32-s1-charges"
LARGEST_eV_A = 1e-4
COUNTS = {"train": 4, "validation": 2, "test": 3}


def exported(model: Path, folder: Path) -> Path:
    """The export of a model, with some of the published labels as its data."""
    store, datasets = folder / "store", {}
    blocks = list(read_blocks(PUBLISHED / LABELS).items())
    for part, count in COUNTS.items():
        keys = []
        for key, block in (blocks.pop() for _ in range(count)):
            write_label(store, label_of_block(PUBLISHED / LABELS, key, block))
            keys.append(key)
        rows = {"origin": "pool.h5", "frame": range(count), "key": keys, "status": "labelled"}
        datasets[part] = folder / f"{part}.extxyz"
        write_dataset(datasets[part], labelled(pd.DataFrame(rows), store, 0.0))
    pd.read_csv(PUBLISHED / "errors.csv").tail(1).to_csv(folder / "errors.csv", index=False)
    certificate = folder / "certificate.csv"
    pd.read_csv(PUBLISHED / "certificate.csv").to_csv(certificate, index=False)
    write_json(folder / "verdict.json", {"stable": True, "reason": None, "reached_ps": 100.0})
    about = {
        "study": "kcl-dft-laptop",
        "description": "KCl by DFT",
        "system": "kcl",
        "run": RUN,
        "training": {"settings": {"model": "schnet"}, "training": {}, "seed": 1},
        "pool": {"temperature_K": [1700, 1100]},
        "simulations": {"npt": {"temperature_K": 1200, "pressure_bar": 1}},
    }
    write_export(
        folder / "out",
        model,
        datasets,
        store,
        about,
        folder / "errors.csv",
        {"npt": folder / "verdict.json"},
        {"npt": certificate},
    )
    return folder / "out"


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    """The export of a published model."""
    return exported(PUBLISHED / "models" / RUN, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def frames(export) -> list[Atoms]:
    """Frames of the melt, one with ions that are nearly in contact in a cell that is no brick."""
    frame, other = (f.copy() for f in ase.io.read(export / "data/extxyz/test.extxyz", index=":2"))
    other.set_cell(
        np.array(other.cell) + np.array([[0, 0, 0], [1.5, 0, 0], [0.3, -0.8, 0]]), scale_atoms=True
    )
    near = other.get_distances(0, range(1, len(other)), mic=True).argmin() + 1
    other.set_distance(0, near, 1.9, fix=0, mic=True)
    return [frame, other]


@pytest.fixture(scope="module")
def expected(export, frames):
    calc = ModelCalculator(export / "minset")
    made = []
    for frame in frames:
        calc.calculate(frame)
        made.append(calc.results)
    return made


def close(forces, expected) -> bool:
    return np.abs(forces - expected["forces"]).max() < LARGEST_eV_A


@pytest.fixture
def spk(monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    import schnetpack

    import minset.model.schnet.architecture  # noqa: F401  schnetpack and new versions of torch

    return schnetpack


@pytest.mark.filterwarnings("ignore")
def test_schnetpack_gives_the_same_forces_energy_and_stress(export, frames, expected, spk):
    from schnetpack.interfaces import SpkCalculator

    calc = SpkCalculator(
        str(export / "schnet/model.schnetpack"),
        spk.transform.ASENeighborList(cutoff=6.0),
        stress_key="stress",
        energy_unit="eV",
        dtype=torch.float64,
    )
    for frame, result in zip(frames, expected, strict=True):
        copy = frame.copy()
        copy.calc = calc
        assert close(copy.get_forces(), result)
        assert copy.get_potential_energy() == pytest.approx(result["energy"], abs=2e-5 * len(copy))
        assert np.allclose(copy.get_stress(), result["stress"], atol=2e-6)


@pytest.mark.filterwarnings("ignore")
def test_spkmd_has_the_same_forces(export, frames, expected, spk):
    from schnetpack.md import System
    from schnetpack.md.calculators import SchNetPackCalculator
    from schnetpack.md.neighborlist_md import NeighborListMD

    for frame, result in zip(frames, expected, strict=True):
        system = System()
        system.load_molecules(frame, 1, position_unit_input="Angstrom")
        calculator = SchNetPackCalculator(
            str(export / "schnet/model.schnetpack"),
            "forces",
            "eV",
            "Angstrom",
            NeighborListMD(6.0, 1.0, spk.transform.ASENeighborList),
            energy_key="energy",
        )
        system, calculator = system.to(torch.float64), calculator.to(torch.float64)
        calculator.calculate(system)
        # schnetpack's own: kJ/mol and nm
        assert close(system.forces.detach().numpy()[0] * KJ_MOL_EV / 10, result)


def test_lammps_has_the_same_forces(export, frames, expected):
    baseline = baseline_of(export / "minset")
    system = {"species": {s: baseline["species"][s] for s in ("K", "Cl")}}
    for frame, result in zip(frames, expected, strict=True):
        lmp = open_lammps()
        box = load_atoms(lmp, frame, system)
        check = attach_model(lmp, export / "minset", ["K", "Cl"])
        lmp.command("run 0")
        check()
        forces = np.ctypeslib.as_array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3)
        assert close(box.from_lammps(forces), result)
        assert lmp.get_thermo("pe") == pytest.approx(result["energy"], abs=1e-3)
        lmp.close()


def test_what_does_not_fit_a_lammps_script_is_told(export, frames):
    baseline = baseline_of(export / "minset")
    lmp = open_lammps()
    with pytest.raises(ValueError, match="no atoms yet"):
        attach_model(lmp, export / "minset", ["K", "Cl"])
    load_atoms(lmp, frames[0], baseline)
    with pytest.raises(ValueError, match="1 elements for 2 atom types"):
        attach_model(lmp, export / "minset", ["K"])
    with pytest.raises(ValueError, match="knows no Na, only Cl, K"):
        attach_model(lmp, export / "minset", ["Na", "Cl"])
    lmp.close()


def test_checksums_are_those_of_all_files(export):
    lines = (export / "SHA256SUMS").read_text().splitlines()
    files = [p for p in export.rglob("*") if p.is_file() and p.name != "SHA256SUMS"]
    assert {line.split()[1] for line in lines} == {p.relative_to(export).as_posix() for p in files}
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=export, check=True)


def test_the_card_and_the_readme_tell_what_results_say(export):
    card, readme = (export / "CARD.md").read_text(), (export / "README.md").read_text()
    for word in (
        "4 for train",
        "force_rmse_eV_A",
        "`rel_cutoff_Ry`",
        "density, g/cm^3",
        "[1700, 1100]",
    ):
        assert word in card
    assert "| npt | force_rmse | eV/A | 0.04224 |" in card
    for tool in (
        "### ASE",
        "### LAMMPS",
        "### schnetpack",
        "### MACE",
        "### NequIP",
        "### DeePMD-kit",
    ):
        assert tool in readme


@pytest.mark.parametrize("part", COUNTS)
def test_every_format_has_the_labels(export, part):
    frames = ase.io.read(export / f"data/extxyz/{part}.extxyz", index=":")
    assert len(frames) == COUNTS[part]
    for other, frame in zip(
        ase.io.read(export / f"data/ref/{part}-ref.extxyz", index=":"), frames, strict=True
    ):
        assert other.calc is None
        assert other.info["REF_energy"] == frame.get_potential_energy()
        assert np.array_equal(other.arrays["REF_forces"], frame.get_forces())
        assert np.allclose(other.info["REF_stress"], frame.get_stress(voigt=False), atol=1e-15)
    with ase.db.connect(export / "data/ase/data.db") as database:
        rows = [row.toatoms() for row in database.select(part=part)]
    for row, frame in zip(rows, frames, strict=True):
        assert np.array_equal(row.get_forces(), frame.get_forces())
        assert np.array_equal(row.get_stress(), frame.get_stress())


@pytest.mark.parametrize("part", COUNTS)
def test_n2p2_has_bohr_and_hartree(export, part):
    frames = ase.io.read(export / f"data/extxyz/{part}.extxyz", index=":")
    text = (export / f"data/n2p2/input.data.{part}").read_text()
    blocks = text.strip().split("begin\n")[1:]
    for block, frame in zip(blocks, frames, strict=True):
        rows = [line.split() for line in block.splitlines()]
        of = {name: [row[1:] for row in rows if row[0] == name] for name in ("lattice", "atom")}
        assert np.allclose(np.array(of["lattice"], float) * BOHR_A, frame.cell[:], atol=1e-10)
        atoms = np.array([[*row[:3], *row[6:]] for row in of["atom"]], float)
        assert [row[3] for row in of["atom"]] == list(frame.symbols)
        assert np.allclose(atoms[:, :3] * BOHR_A, frame.positions, atol=1e-10)
        assert np.allclose(atoms[:, 3:] * HARTREE_EV / BOHR_A, frame.get_forces(), atol=1e-10)
        energy = float(next(row[1] for row in rows if row[0] == "energy"))
        assert energy * HARTREE_EV == pytest.approx(frame.get_potential_energy(), abs=1e-9)


@pytest.mark.parametrize("part", COUNTS)
def test_deepmd_has_sorted_atoms_and_virials(export, part):
    frames = ase.io.read(export / f"data/extxyz/{part}.extxyz", index=":")
    (system,) = (export / "data/deepmd" / part).iterdir()
    types = np.loadtxt(system / "type.raw", int)
    names = (system / "type_map.raw").read_text().split()
    assert names == ["Cl", "K"]
    arrays = {path.stem: np.load(path) for path in (system / "set.000").iterdir()}
    assert arrays.keys() == {"box", "coord", "energy", "force", "virial"}
    for number, frame in enumerate(frames):
        order = np.argsort(frame.numbers, kind="stable")
        assert [names[t] for t in types] == [frame.symbols[int(k)] for k in order]
        for name, value in (("coord", frame.positions), ("force", frame.get_forces())):
            assert np.array_equal(arrays[name][number].reshape(-1, 3), value[order])
        assert arrays["energy"][number] == frame.get_potential_energy()
        virial = -frame.get_stress(voigt=False) * frame.get_volume()
        assert np.allclose(arrays["virial"][number].reshape(3, 3), virial, atol=1e-12)


def test_a_model_on_what_its_tool_cannot_compute_is_exported_without_a_file_for_it(kcl, tmp_path):
    """Here on all of Tosi and Fumi's potential; minset's calculator has both parts."""
    model = shutil.copytree(PUBLISHED / "models" / RUN, tmp_path / "model")
    below = {"species": kcl["species"], "potential": kcl["potentials"]["bmhtf"]}
    description = json.loads((model / DESCRIPTION).read_text())
    (model / DESCRIPTION).write_text(json.dumps(description | {"baseline": below}))
    export = exported(model, tmp_path)
    assert not (export / "schnet").exists()
    readme = (export / "README.md").read_text()
    assert "| `schnet/` |" not in readme
    assert "schnetpack cannot compute `tosi_fumi`, on which the model stands" in readme
    frame = ase.io.read(export / "data/extxyz/test.extxyz")
    frame.calc = ModelCalculator(export / "minset")
    learned = learned_evaluator(model, frame.numbers)(frame.positions, frame.cell[:])
    whole = learned.forces_eV_A + single_point(below, frame).forces_eV_A
    assert np.allclose(frame.get_forces(), whole, atol=1e-3)


def test_without_minset_schnetpack_reads_it(export, tmp_path):
    code = (
        "import sys, typing, torch, torch.utils.data.dataloader as d; d.T_co = typing.TypeVar('T_co')\n"
        f"model = torch.load({str(export / 'schnet/model.schnetpack')!r}, weights_only=False)\n"
        "assert 'minset' not in sys.modules\n"
        "print(type(model).__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "schnetpack.model.base"
