"""Runs that observables look at, and their tables: made once for all tests of this folder."""

import functools

import pytest
from conftest import classically_labelled

from conformance.examples import observable_settings
from conformance.force_calls import off_its_sites
from minset.dataset import write_dataset
from minset.md.engines import potential_engine
from minset.md.files import THERMO, TRAJECTORY
from minset.md.melt import melt
from minset.md.run import Protocol, run_md
from minset.observe import OBSERVABLES


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
def source(simulated, model_folder, small_pool, kcl, tmp_path_factory):
    """A function that gives what an observable looks at, of a case."""

    def of(name: str, case: str = "salt"):
        record = OBSERVABLES[name]
        if record.of == "trajectory":
            return simulated(case, record.ensembles[0])
        assert record.of == "model", f"these tests have nothing for an observable of {record.of}"
        folder = tmp_path_factory.mktemp("test")
        write_dataset(folder / "test.xyz", classically_labelled(small_pool[1][:3], kcl, folder))
        return kcl, {"model": model_folder, "test": folder / "test.xyz"}

    return of


@pytest.fixture(scope="session")
def observed(source):
    """A function that gives the tables of an observable for a case, computed once."""

    @functools.cache
    def of(name: str, case: str = "salt") -> dict:
        system, files = source(name, case)
        return OBSERVABLES[name].observe(files, system, observable_settings(name), 1)

    return of
