"""Frames that the user has: how files are read, what is left out of them, what contradicts itself."""

import re
from itertools import pairwise

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from samples import classically_labelled

from minset.pool.consistency import contradiction
from minset.pool.files import plan, sample
from minset.pool.reading import NoFrames, read_run
from minset.pool.store import read_frames, write_pool
from minset.units import BOHR_A, GPA_EV_A3, HARTREE_EV

KCL = {"species": {"K": {}, "Cl": {}}}


@pytest.fixture(scope="module")
def labelled(small_pool, kcl, tmp_path_factory):
    """Ten frames of KCl with energies, forces and stresses."""
    return classically_labelled(small_pool[1][::4], kcl, tmp_path_factory.mktemp("labels"))


def scaled(frames, energy=1.0, forces=1.0, stress=1.0):
    """The same frames with labels in other units or of the other sign."""
    changed = []
    for frame in frames:
        image, known = frame.copy(), frame.calc.results
        image.calc = SinglePointCalculator(
            image,
            energy=energy * known["energy"],
            forces=forces * known["forces"],
            stress=stress * frame.get_stress(),
        )
        changed.append(image)
    return changed


def read(path, system=KCL, **options):
    (run,) = plan({"path": str(path), "every": 1} | options)
    return sample(system, run, path.parent)


def same_labels(frames, expected, abs_=1e-6):
    for frame, other in zip(frames, expected, strict=True):
        assert np.array_equal(frame.numbers, other.numbers)
        assert np.allclose(frame.positions, other.positions, atol=1e-6)
        assert frame.get_potential_energy() == pytest.approx(other.get_potential_energy(), abs=abs_)
        assert np.allclose(frame.get_forces(), other.get_forces(), atol=abs_)
        assert np.allclose(frame.get_stress(), other.get_stress(), atol=abs_)


@pytest.mark.parametrize("name", ["frames.extxyz", "frames.traj", "frames.db", "frames.json"])
def test_what_ase_writes_is_read_with_its_labels(labelled, tmp_path, name):
    if name.endswith(".traj"):
        ase.io.write(tmp_path / name, labelled)
    else:
        ase.io.write(tmp_path / name, [f.copy() for f in labelled][:0] or labelled)
    frames, note = read(tmp_path / name)
    assert note == ""
    same_labels(frames, labelled)
    assert [frame.info["file_frame"] for frame in frames] == list(range(10))


def test_h5md_is_read_with_its_labels(labelled, tmp_path):
    write_pool(tmp_path / "frames.h5", labelled)
    same_labels(read(tmp_path / "frames.h5").frames, labelled)


def test_a_lammps_dump_is_read_by_its_elements_or_by_names_of_its_types(small_pool, tmp_path):
    frame = small_pool[1][0]
    header = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n32\nITEM: BOX BOUNDS pp pp pp\n"
    box = "".join(f"0 {edge}\n" for edge in frame.cell.lengths())
    types = {"K": 2, "Cl": 1}
    rows = [
        f"{k} {types[s]} {s} {' '.join(map(repr, map(float, x)))}"
        for k, (s, x) in enumerate(zip(frame.symbols, frame.positions, strict=True), 1)
    ]
    with_elements = header + box + "ITEM: ATOMS id type element x y z\n" + "\n".join(rows) + "\n"
    (tmp_path / "named.lammpstrj").write_text(with_elements)
    bare = re.sub(r" (K|Cl) ", " ", with_elements).replace(" element", "")
    (tmp_path / "typed.dump").write_text(bare)
    for path, options in (("named.lammpstrj", {}), ("typed.dump", {"elements": ["Cl", "K"]})):
        (image,), note = read(tmp_path / path, **options)
        assert image.get_chemical_symbols() == frame.get_chemical_symbols()
        assert np.allclose(image.positions, frame.positions, atol=1e-9)
        assert "no frame has energy" in note


def test_labels_are_found_by_the_names_that_the_user_gives(labelled, tmp_path):
    renamed = []
    for frame in labelled:
        image, known = frame.copy(), frame.calc.results
        image.info |= {"REF_energy": known["energy"], "REF_stress": frame.get_stress(voigt=False)}
        image.info["REF_virial"] = -image.cell.volume * image.info["REF_stress"]
        image.arrays["REF_forces"] = known["forces"]
        renamed.append(image)
    ase.io.write(tmp_path / "r.xyz", renamed, format="extxyz")
    keys = {f"{name}_key": f"REF_{name}" for name in ("energy", "forces", "stress")}
    same_labels(read(tmp_path / "r.xyz", **keys).frames, labelled)
    keys["virial_key"] = keys.pop("stress_key").replace("stress", "virial")
    same_labels(read(tmp_path / "r.xyz", **keys).frames, labelled)
    frames, note = read(tmp_path / "r.xyz")
    assert frames[0].calc.results == {}
    assert "REF_energy looks like it, to be named by pool.energy_key" in note
    with pytest.raises(
        NoFrames, match=r"no frame has `dft_energy` \(pool.energy_key\); REF_energy"
    ):
        read(tmp_path / "r.xyz", energy_key="dft_energy")


def test_the_energy_is_the_free_one_to_which_forces_belong(labelled, tmp_path):
    frame = labelled[0].copy()
    known = labelled[0].calc.results
    frame.calc = SinglePointCalculator(frame, **known | {"free_energy": known["energy"] - 0.25})
    ase.io.write(tmp_path / "free.extxyz", frame)
    (image,), _ = read(tmp_path / "free.extxyz")
    assert image.get_potential_energy() == pytest.approx(known["energy"] - 0.25)


def test_mixed_compositions_and_cells_are_read(labelled, tmp_path):
    other = labelled[1][list(range(8))]
    other.calc = SinglePointCalculator(other, energy=-3.0, forces=np.zeros((8, 3)))
    ase.io.write(tmp_path / "mixed.extxyz", [labelled[0], other])
    frames, note = read(tmp_path / "mixed.extxyz")
    assert [len(frame) for frame in frames] == [32, 8]
    assert "stress" not in frames[1].calc.results
    assert note == ""
    write_pool(tmp_path / "pool.h5", frames)
    again = read_frames(tmp_path / "pool.h5")
    same_labels(again[:1], labelled[:1])
    assert "stress" not in again[1].calc.results


def test_every_nth_frame_is_taken(labelled, tmp_path):
    ase.io.write(tmp_path / "f.extxyz", labelled)
    frames, _ = read(tmp_path / "f.extxyz", every=4)
    assert [frame.info["file_frame"] for frame in frames] == [0, 4, 8]


def test_what_cannot_be_used_is_left_out_and_counted(labelled, tmp_path):
    good = labelled[0]
    broken, foreign, flat, again, alone, open_ = (labelled[1].copy() for _ in range(6))
    broken.positions[3] = np.nan
    foreign.symbols[2] = "Br"
    flat.set_cell([10, 10, 0])
    again = labelled[0]
    alone = Atoms("K", cell=[20, 20, 20], pbc=True)
    open_.pbc = [True, True, False]
    unknown = labelled[2].copy()
    known = dict(labelled[2].calc.results)
    unknown.calc = SinglePointCalculator(unknown, **known | {"energy": np.nan})
    other_energy = labelled[0].copy()
    other_energy.calc = SinglePointCalculator(
        other_energy, **labelled[0].calc.results | {"energy": 1.0}
    )
    frames = [good, broken, foreign, flat, again, alone, open_, unknown, other_energy]
    ase.io.write(tmp_path / "f.extxyz", frames)
    (one,), note = read(tmp_path / "f.extxyz")
    assert one.info["file_frame"] == 0
    assert note.startswith("8 frames are left out: ")
    for reason in (
        "1 cannot be computed: positions or cell are not finite",
        "1 hold Br, which the system does not",
        "1 are a copy of an earlier one",
        "1 are a copy of an earlier one with another energy",
        "1 have no two atoms within 6 A",
        "1 are not periodic in three directions",
        "1 have an energy, forces or a stress that are not finite",
    ):
        assert reason in note


def test_a_file_of_which_nothing_can_be_used_says_why(labelled, tmp_path):
    ase.io.write(tmp_path / "f.extxyz", labelled)
    with pytest.raises(NoFrames, match=r"f.extxyz: none can be used; 10 frames .* 10 hold Cl, K"):
        read(tmp_path / "f.extxyz", {"species": {"Al": {}}})


@pytest.mark.parametrize("content", ["", "no frames at all\n", "2\n\nK 0 0 0\n"])
def test_a_file_that_cannot_be_read_says_so(tmp_path, content):
    (tmp_path / "f.extxyz").write_text(content)
    with pytest.raises(NoFrames, match=r"f.extxyz.*(pool.format|none can be used)"):
        read(tmp_path / "f.extxyz")


def test_a_file_that_is_not_there_is_told_when_the_study_is_planned(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path: there is no file .*none/\*.xyz"):
        plan({"path": str(tmp_path / "none/*.xyz")})


def test_each_pattern_is_a_run_with_a_name_of_its_own(tmp_path):
    for name in ("a/run.xyz", "b/run.xyz", "b/other.xyz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    runs = plan({"path": [f"{tmp_path}/a/*.xyz", f"{tmp_path}/b/*.xyz", f"{tmp_path}/a/run.xyz"]})
    assert [len(run["paths"]) for run in runs] == [1, 2, 1]
    names = [run["name"] for run in runs]
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,49}", name) for name in names)
    assert all(a != b for a, b in pairwise(names))


WRONG = {
    "the stresses have the opposite sign": {"stress": -1.0},
    "stresses in GPa": {"stress": 1 / GPA_EV_A3},
    "stresses in kbar": {"stress": 10 / GPA_EV_A3},
    "energies in Hartree": {"energy": 1 / HARTREE_EV},
    "energies in kcal/mol": {"energy": 23.06},
    "forces in Hartree/bohr": {"forces": BOHR_A / HARTREE_EV},
}


@pytest.mark.parametrize("told", WRONG)
def test_units_and_signs_that_contradict_the_forces_are_told(labelled, told):
    assert told in contradiction(scaled(labelled, **WRONG[told]))


def test_virials_that_were_not_divided_by_the_volume_are_told(labelled):
    virials = []
    for frame in labelled:
        virials += scaled([frame], stress=frame.cell.volume)
    assert "virials in eV, not divided by the volume" in contradiction(virials)


def test_right_labels_do_not_contradict_themselves(labelled):
    assert contradiction(labelled) == ""
    metal = []
    for seed in range(8):
        crystal = bulk("Cu", "fcc", a=3.6 + 0.02 * seed, cubic=True) * (2, 2, 2)
        crystal.rattle(0.1, seed=seed)
        crystal.calc = EMT()
        crystal.get_stress()
        metal.append(crystal)
    assert contradiction(metal) == ""


def test_few_frames_say_nothing(labelled):
    assert contradiction(scaled(labelled[:4], stress=-1.0)) == ""


def test_a_file_that_contradicts_itself_is_no_pool(labelled, tmp_path):
    ase.io.write(tmp_path / "f.extxyz", scaled(labelled, stress=-1.0))
    with pytest.raises(NoFrames, match=r"f.extxyz: the stresses have the opposite sign"):
        read(tmp_path / "f.extxyz")


def test_labels_that_are_not_looked_at_contradict_nothing(labelled, tmp_path):
    ase.io.write(tmp_path / "f.extxyz", scaled(labelled, stress=-1.0))
    run = {"paths": [str(tmp_path / "f.extxyz")], "every": 1}
    frames, note = read_run(KCL, run, labels=False)
    assert len(frames) == len(labelled)
    assert not any(frame.calc.results for frame in frames)
    assert note == ""
