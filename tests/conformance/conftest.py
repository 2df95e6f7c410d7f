"""Runs that observables look at, and their tables: made once for all tests of this folder."""

import functools

import certificate_frames
import label
import pandas as pd
import pytest
from samples import classically_labelled, label_settings

from conformance.examples import observable_settings
from conformance.force_calls import off_its_sites
from minset.dataset import write_dataset
from minset.descriptor import DESCRIPTORS
from minset.files import write_json
from minset.md.engines import potential_engine
from minset.md.files import THERMO, TRAJECTORY
from minset.md.melt import melt
from minset.md.run import Protocol, run_md
from minset.observe import OBSERVABLES
from minset.pool.store import read_frames, summary


@pytest.fixture(scope="session")
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
            ensemble, (1200.0, 1200.0), 8.0, 2.0, sample_ps=0.05, thermo_ps=0.02, seed=1
        )
        verdict = run_md(start, system, potential_engine(), protocol, folder)
        assert verdict["stable"], verdict["reason"]
        files = {"trajectory": folder / TRAJECTORY, "thermo": folder / THERMO}
        return system, files | {"verdict": verdict}

    return run


@pytest.fixture(scope="session")
def source(simulated, model_folder, small_pool, kcl, al, tmp_path_factory):
    """A function that gives what an observable looks at, of a case.

    The model of a certificate has random weights, so that no dynamics are its own: here the potential
    made them, and the energies of the model's trajectory are far from the labels.
    """

    def of(name: str, case: str = "salt"):
        record = OBSERVABLES[name]
        if record.of == "trajectory":
            return simulated(case, record.ensembles[0])
        if record.of == "engine":
            return {"salt": kcl, "metal": al}[case], {"model": None}
        if record.of == "frames":
            return kcl, sets_of(small_pool[0], tmp_path_factory.mktemp("sets"))
        of_model = record.of in ("model", "certificate", "pool")
        assert of_model, f"these tests have nothing for an observable of {record.of}"
        folder = tmp_path_factory.mktemp("test")
        write_dataset(folder / "test.xyz", classically_labelled(small_pool[1][:3], kcl, folder))
        files = {"model": model_folder, "test": folder / "test.xyz"}
        if record.of == "model":
            return kcl, files
        if record.of == "pool":
            return kcl, {"model": model_folder, "pool": small_pool[0]}
        system, run = simulated(case, record.ensembles[0])
        return system, files | run | labelled_of(run, system, folder, frames=8)

    return of


def sets_of(pool, folder) -> dict:
    """What observables of frames look at: a pool of one run with its descriptors, and a selection."""
    frames = read_frames(pool)
    files = {"pool": pool, "given": []}
    files |= {name: folder / f"{name}.csv" for name in ("summary", "runs")}
    summary(frames).assign(run=0).to_csv(files["summary"], index=False)
    pd.DataFrame({"run": [0], "name": ["ramp"]}).to_csv(files["runs"], index=False)
    files["selections"] = [folder / "random-n8-s1.csv"]
    pd.DataFrame({"frame": range(8)}).to_csv(files["selections"][0], index=False)
    options = dict(observable_settings("coverage")["descriptors"])
    files["descriptors"] = folder / "atoms.npy"
    describe = DESCRIPTORS[options.pop("descriptor")].describe
    describe(pool, files["descriptors"], "atoms", options)
    return files


def labelled_of(run: dict, system: dict, folder, frames: int) -> dict:
    """Tables of label jobs and the store, of frames of a run as the workflow takes and labels them."""
    given = {"trajectory": run["trajectory"], "thermo": run["thermo"]}
    write_json(folder / "verdict.json", run["verdict"])
    files = {"frames": folder / "set.h5", "table": folder / "set.csv"}
    certificate_frames.main(**given, verdict=folder / "verdict.json", **files, most=frames)
    label.main(
        files["frames"],
        files["table"],
        folder / "part-0.csv",
        0,
        frames,
        "potential",
        label_settings(system),
        0.01,
        folder / "store",
        effort={},
    )
    return {"labels": [folder / "part-0.csv"], "store": folder / "store"}


@pytest.fixture(scope="session")
def observed(source):
    """A function that gives the tables of an observable for a case, computed once."""

    @functools.cache
    def of(name: str, case: str = "salt") -> dict:
        system, files = source(name, case)
        return OBSERVABLES[name].observe(files, system, observable_settings(name), 1)

    return of
