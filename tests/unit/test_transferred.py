"""Frames of another system: scaled by the lattice constants, with other species, without labels."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from samples import read_system
from studies import CONFIG, STUDY, alter, mistakes

from minset.pool.transferred import plan, sample, scale_of

AL = read_system("al")


@pytest.fixture
def nickel(tmp_path):
    """Displaced crystals of nickel with labels, as a file."""
    rng = np.random.default_rng(1)
    frames = []
    for _ in range(3):
        frame = bulk("Ni", a=3.52, cubic=True) * (2, 2, 1)
        frame.set_cell(frame.cell[:] + rng.normal(scale=0.05, size=(3, 3)), scale_atoms=True)
        frame.rattle(0.1, rng=rng)
        frame.calc = LennardJones(sigma=2.2, epsilon=0.3, rc=4.0, smooth=True)
        frame.get_forces()
        frames.append(frame)
    path = tmp_path / "ni.extxyz"
    ase.io.write(path, frames)
    return path, ase.io.read(path, index=":")


def test_frames_have_the_lengths_and_the_species_of_the_other_metal_and_no_labels(nickel, tmp_path):
    path, frames = nickel
    (run,) = plan({"path": str(path), "species": {"Ni": "Al"}})
    moved, note = sample(AL, run, tmp_path)
    assert note == ""
    factor = 4.05 / 3.52  # ASE's lattice constants, as in the paper
    for frame, other in zip(frames, moved, strict=True):
        assert set(other.symbols) == {"Al"}
        assert other.cell[:] == pytest.approx(factor * frame.cell[:])
        assert other.positions == pytest.approx(factor * frame.positions)
        assert other.calc is None


def test_lengths_follow_volumes_per_atom_between_other_structures():
    run = {"species": {"Ni": "Nb"}}
    niobium = {"species": {"Nb": {"count": 1}}}
    assert scale_of(run, niobium) == pytest.approx((3.30**3 / 2 / (3.52**3 / 4)) ** (1 / 3))


def test_lengths_follow_the_crystals_that_are_given():
    salt = {"species": {"K": {"count": 1}, "Cl": {"count": 1}}}
    salt["crystal"] = {"structure": "rocksalt", "a_A": 6.29}
    run = {"species": {"Na": "K", "Cl": "Cl"}, "crystal": {"structure": "rocksalt", "a_A": 5.64}}
    assert scale_of(run, salt) == pytest.approx(6.29 / 5.64)
    assert scale_of(run | {"scale": 1.05}, salt) == 1.05


def test_frames_of_a_study_are_its_pool_or_one_of_its_training_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, species = {"study": "mine", "system": "ni"}, {"Ni": "Al"}
    files = {
        "results/ni/pool/mine/pool.h5": {},
        "results/ni/dataset/mine/committee-n8-s1/train.extxyz": {"set": "committee-n8-s1"},
    }
    for file, more in files.items():
        with pytest.raises(FileNotFoundError, match=f"there is no file {file}.*run the study mine"):
            plan({"from": source | more, "species": species})
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
        assert plan({"from": source | more, "species": species})[0]["paths"] == [file]


README = str(CONFIG.parent / "README.md")
POOL = {"generator": "transferred", "path": README, "species": {"Na": "K", "Br": "Cl"}}
MISTAKES = {
    "no source": ({"path": None}, "pool.path: give it, or `from`, and not both"),
    "two sources": (
        {"from": {"study": "nickel", "system": "ni"}},
        "pool.path: give it, or `from`, and not both",
    ),
    "species that the system has not": (
        {"species": {"Ni": "Al"}},
        "pool.species.Ni: the system has no Al; it has K, Cl",
    ),
    "a crystal that nobody knows": (
        {},
        "pool.scale: missing, and crystals do not tell it: no crystal",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gives_one_line_with_key_and_remedy(case, config):
    changes, told = MISTAKES[case]
    pool = {key: value for key, value in (POOL | changes).items() if value is not None}
    alter(config, STUDY, {"pool": pool})
    told_of = [line for line in mistakes(config) if "pool." in line]
    assert len(told_of) == 1
    assert told in told_of[0]
