"""Observable ``coverage``: distances against scipy, splits, sets, and what is said of mistakes."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.io import write
from scipy.spatial.distance import cdist
from studies import STUDY, alter, mistakes

from minset.descriptor import DESCRIPTORS
from minset.observe import OBSERVABLES
from minset.observe.coverage_sets import Environments, standardised
from minset.observe.distances import drawn, nearest_distances
from minset.pool.record import NoFrames
from minset.pool.store import join_runs, write_pool
from minset.registry import defaults_of
from minset.study import read_study

RECORD = OBSERVABLES["coverage"]
NACL = {"species": {"Na": {"count": 1, "mass_u": 23.0}, "Cl": {"count": 1, "mass_u": 35.0}}}
DESCRIPTOR = {"descriptor": "bispectrum"} | defaults_of(DESCRIPTORS["bispectrum"].options)


def environments(n: int, seed: int, scale: float = 1.0) -> Environments:
    rng = np.random.default_rng(seed)
    x, numbers = scale * rng.normal(size=(n, 4)) + [3, 0, 0, 7], rng.choice([11, 17], n)
    return Environments(x, numbers, np.arange(n) // 8)


def test_distances_are_those_of_scipy_within_each_species():
    a, b = environments(300, 1), environments(200, 2)
    every = cdist(b.x, a.x)
    every[b.numbers[:, None] != a.numbers] = np.inf
    assert np.allclose(nearest_distances(a, b), every.min(axis=1))
    only = a._replace(numbers=np.full(300, 11))
    assert (np.isinf(nearest_distances(only, b)) == (b.numbers == 17)).all()


def test_one_set_standardises_all_by_species():
    sets = {"a": environments(400, 1, 2.0), "b": environments(100, 2)}
    done = standardised(sets, "a")
    for z in (11, 17):
        own = done["a"].x[done["a"].numbers == z]
        assert np.allclose(own.mean(axis=0), 0, atol=1e-12)
        assert np.allclose(own.std(axis=0), 1)
        raw = sets["a"].x[sets["a"].numbers == z]
        expected = (sets["b"].x[sets["b"].numbers == z] - raw.mean(axis=0)) / raw.std(axis=0)
        assert np.allclose(done["b"].x[done["b"].numbers == z], expected)
    sodium = Environments(*(part[sets["a"].numbers == 11] for part in sets["a"]))
    with pytest.raises(ValueError, match="c has no atoms of atomic number 17, as b has"):
        standardised({"c": sodium, "b": sets["b"]}, "c")


@pytest.mark.parametrize(("n", "parts"), [(90, (50, 30)), (60, (40, 20)), (9, (6, 3))])
def test_splits_of_one_set_share_no_environment(n, parts):
    of = environments(n, 1)
    a, b = drawn(of, of, True, (50, 30), np.random.default_rng(1))
    assert (len(a.x), len(b.x)) == parts
    assert nearest_distances(b, a).min() > 0
    a, b = drawn(of, environments(12, 2), False, (50, 30), np.random.default_rng(1))
    assert (len(a.x), len(b.x)) == (min(50, n), 12)


def ions(n: int, spread: float, seed: int) -> list[Atoms]:
    """Frames of rocksalt whose ions are off their sites."""
    rng, frames = np.random.default_rng(seed), []
    sites = np.stack(np.meshgrid(*[np.arange(2.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    symbols = ["Na" if site.sum() % 2 else "Cl" for site in sites]
    for _ in range(n):
        x = 2.9 * sites + spread * rng.normal(size=sites.shape)
        frames.append(Atoms(symbols, x, cell=[5.8] * 3, pbc=True))
    return frames


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A pool of two runs, one of them more diverse; selections; and a file with a foreign frame."""
    folder = tmp_path_factory.mktemp("sets")
    for k, (spread, seed) in enumerate(((0.1, 1), (0.4, 2))):
        write_pool(folder / f"{k}.h5", ions(20, spread, seed))
    join_runs(folder / "pool.h5", {k: folder / f"{k}.h5" for k in range(2)}).to_csv(
        folder / "pool.csv", index=False
    )
    names = pd.DataFrame({"run": [0, 1], "name": ["K0-1gcm3-1", "K1000-1gcm3-1"]})
    names.to_csv(folder / "runs.csv", index=False)
    options = {k: v for k, v in DESCRIPTOR.items() if k != "descriptor"}
    DESCRIPTORS["bispectrum"].describe(folder / "pool.h5", folder / "a.npy", "atoms", options)
    pd.DataFrame({"frame": [1, 2]}).to_csv(folder / "random-n2-s1.csv", index=False)
    pd.DataFrame({"frame": [3, 4]}).to_csv(folder / "random-n4-s1.csv", index=False)
    write(
        folder / "own.xyz", [*ions(3, 0.2, 3), Atoms("K2", [[0] * 3, [3] * 3], cell=[6] * 3, pbc=1)]
    )
    return {
        "pool": folder / "pool.h5",
        "summary": folder / "pool.csv",
        "runs": folder / "runs.csv",
        "descriptors": folder / "a.npy",
        "selections": [folder / "random-n2-s1.csv", folder / "random-n4-s1.csv"],
        "given": [folder / "own.xyz"],
    }


@pytest.fixture(scope="module")
def tables(source):
    sets = {
        "crystal": {"runs": ["K0-*"]},
        "diverse": {"runs": ["K1000-1gcm3-1"]},
        "picked": {"selection": "random-n4-s1"},
        "own": {"files": [str(source["given"][0])]},
    }
    given = {"sets": sets, "splits": 4, "training_environments": 100, "testing_environments": 40}
    settings = defaults_of(RECORD.options) | given | {"descriptors": DESCRIPTOR}
    return RECORD.observe(source, NACL, settings, 1)


def test_sets_are_of_runs_selections_and_files(tables):
    sets = tables["sets"].set_index("set")
    assert sets["frames"].to_dict() == {"crystal": 20, "diverse": 20, "picked": 4, "own": 3}
    assert (sets["environments"] == 8 * sets["frames"]).all()
    assert sets.loc["diverse", "entropy"] > sets.loc["crystal", "entropy"] + 0.5


def test_what_is_diverse_is_far_from_what_is_not(tables):
    rows = tables["distances"].set_index(["training", "testing"])
    mean = rows["mean"]
    assert len(rows) == 16
    assert mean["crystal", "diverse"] > 2 * mean["crystal", "crystal"]
    assert mean["crystal", "diverse"] > 2 * mean["diverse", "crystal"]
    assert (rows["mean_low"] <= mean).all()
    assert (mean <= rows["mean_high"]).all()
    assert (rows["median"] <= rows["maximum"]).all()
    assert mean["crystal", "picked"] < mean["crystal", "crystal"], "its frames are in the pool"


def test_a_file_of_other_species_alone_is_no_set(source, tmp_path):
    path = tmp_path / "potassium.xyz"
    write(path, [Atoms("K2", [[0] * 3, [3] * 3], cell=[6] * 3, pbc=True)] * 2)
    sets = {"crystal": {"runs": ["K0-*"]}, "own": {"files": [str(path)]}}
    settings = defaults_of(RECORD.options) | {"sets": sets, "descriptors": DESCRIPTOR}
    with pytest.raises(
        NoFrames, match=r"potassium.xyz: none can be used; 2 frames .* hold K, which"
    ):
        RECORD.observe(source, NACL, settings, 1)


def test_distributions_are_normalised(tables):
    rows = tables["distributions"]
    for _, curve in rows.groupby(["quantity", "training", "testing"]):
        value = curve["value"].to_numpy()
        assert (curve["density"] * (value[1] - value[0])).sum() == pytest.approx(1)
    assert rows["quantity"].nunique() == 1 + DESCRIPTOR["components"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "coverage.sets: missing; name sets of frames, each with runs, selection or files"),
        ({"sets": {"a": {"runs": ["K*"]}}}, "coverage.sets.a.runs: no run of the pool matches K*;"),
        (
            {"sets": {"a": {"selection": "x-n1-s1"}}},
            "coverage.sets.a.selection: no selection x-n1-s1",
        ),
        ({"sets": {"a": {"files": ["no.xyz"]}}}, "coverage.sets.a.files: there is no file no.xyz"),
        ({"sets": {"a": {}}}, "coverage.sets.a: one of runs, selection and files, not 0"),
        ({"sets": {"a": {"runs": ["ramp"]}}, "reference": "b"}, "coverage.reference: no set b;"),
    ],
)
def test_sets_that_are_not_there_are_said_before_any_job(config, given, message):
    alter(config, STUDY, {"coverage": given})
    assert any(message in line for line in mistakes(config))


def test_a_study_has_it_where_it_asks_for_it(config):
    assert read_study("demo-classical", config).observed("coverage") == []
    alter(config, STUDY, {"coverage": {"sets": {"picked": {"selection": "random-n8-s1"}}}})
    study = read_study("demo-classical", config)
    assert study.observed("coverage") == ["frames"]
    assert study.observable_settings("coverage")["descriptors"] == study.settings["descriptors"]
    assert study.selections_seen("coverage")[-1] == "random-n8-s1"
