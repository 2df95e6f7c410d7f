"""Shared fixtures: systems, a small melt, an untrained model on disk."""

from pathlib import Path

import pytest
from records import small_registries  # noqa: F401
from samples import read_system
from studies import config  # noqa: F401

# its checks are asserted for the tests that call them
pytest.register_assert_rewrite("conformance.force_calls")


@pytest.fixture(scope="session")
def kcl() -> dict:
    return read_system("kcl")


@pytest.fixture(scope="session")
def nacl() -> dict:
    return read_system("nacl")


@pytest.fixture(scope="session")
def al() -> dict:
    return read_system("al")


@pytest.fixture(scope="session")
def melt32(kcl):
    """32 ions of molten KCl at 1200 K with velocities."""
    from minset.md.melt import melt

    return melt(kcl, 32, 1.436, 1200.0, duration_ps=1.0, seed=3)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """A small SchNet with random weights, saved, and its compressed form."""
    import torch

    from minset.model.schnet.architecture import build_model, hyper_of, save_model
    from minset.model.schnet.compressed import save_compressed, tabulate

    folder = tmp_path_factory.mktemp("model")
    hyper = hyper_of({"size": "small"})
    torch.manual_seed(5)
    offsets = {"19": -1.5, "17": -2.5}
    model, description = build_model(hyper), {"hyper": hyper, "energy_offsets_eV": offsets}
    save_model(folder, model, description)
    save_compressed(folder / "compressed.npz", tabulate(model, description, segments=1024))
    return folder


@pytest.fixture(scope="session")
def small_pool(tmp_path_factory, kcl):
    """A pool of 40 frames of 32 ions from one run, on disk, its frames, and the run."""
    from minset.pool.npt import run_npt
    from minset.pool.npt_ramp import plan
    from minset.pool.store import join_runs, write_pool
    from minset.system import start_density_g_cm3

    settings = {
        "ions": 32,
        "temperature_K": [1700, 1100],
        "pressure_bar": 5000,
        "timestep_fs": 2.0,
        "equilibration_ps": 2,
        "duration_ps": 10,
        "frames": 40,
        "seed": 1,
    }
    folder = tmp_path_factory.mktemp("pool")
    (run,) = plan(settings)
    run["density_g_cm3"] = start_density_g_cm3(kcl["reference"]["density"], 1700)
    frames, _ = run_npt(kcl, run, folder / "work")
    write_pool(folder / "ramp.h5", frames)
    join_runs(folder / "pool.h5", {0: folder / "ramp.h5"})
    return folder / "pool.h5", frames, run
