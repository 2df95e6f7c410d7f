"""A trained model's dynamics are the same through its tables and through the network."""

import numpy as np
import pytest

from minset.md.engines import LIMITS, model_engine
from minset.md.run import Protocol, read_thermo, run_md
from minset.model.schnet.architecture import load_model
from minset.model.schnet.compress import compress
from minset.model.schnet.train import train_schnet

# whether it is the network itself
ENGINES = {"compressed": False, "schnetpack": True}


@pytest.fixture(scope="module")
def trained(small_pool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    frames = small_pool[1]
    training = {
        "batch_size": 4,
        "learning_rate": 3e-3,
        "max_epochs": 120,
        "patience": 120,
        "energy_weight": 1.0,
        "force_weight": 1.0,
        "stress_weight": 0.0,
    }
    checked = frames[3::8]
    train_schnet(frames[::2], checked, {"size": "small"}, training, 1, folder, 1, provenance={})
    compress(*load_model(folder), checked, folder / "compressed.npz")
    return folder


def both(trained, start, system, protocol, folder) -> dict:
    runs = {}
    for engine, reference in ENGINES.items():
        attach = model_engine(trained, LIMITS, {}, reference=reference)
        verdict = run_md(start, system, attach, protocol, folder / engine)
        assert verdict["stable"], verdict["reason"]
        runs[engine] = read_thermo(folder / engine)
    return runs


def test_energy_drifts_no_more_than_the_networks(trained, melt32, kcl, tmp_path):
    protocol = Protocol("nve", (1200.0, 1200.0), 4.0, 1.0, 0.1, 0.01, seed=1)
    runs = both(trained, melt32, kcl, protocol, tmp_path)
    drift, noise = {}, {}
    for name, thermo in runs.items():
        fit = np.polyfit(thermo["time_ps"], thermo["total_energy_eV"], 1)
        drift[name] = abs(fit[0]) / len(melt32)  # eV/atom/ps
        noise[name] = (thermo["total_energy_eV"] - np.polyval(fit, thermo["time_ps"])).std()
    assert drift["compressed"] < 1e-5
    assert drift["compressed"] < drift["schnetpack"] + 5e-6
    assert noise["compressed"] < 1.2 * noise["schnetpack"]
    # the same dynamics until chaos sets in
    early = [thermo.query("time_ps < 0.3")["potential_energy_eV"] for thermo in runs.values()]
    assert np.abs(early[0] - early[1]).max() < 1e-3


def test_density_at_constant_pressure_is_the_same_within_error(trained, melt32, kcl, tmp_path):
    protocol = Protocol(
        "npt", (1200.0, 1200.0), 14.0, 2.0, 0.2, 0.02, seed=1, pressure_bar=5000.0, barostat_ps=0.5
    )
    means, errors = [], []
    for thermo in both(trained, melt32, kcl, protocol, tmp_path).values():
        density = thermo.query("time_ps > 4")["density_g_cm3"].to_numpy()
        blocks = [block.mean() for block in np.array_split(density, 10)]
        means.append(np.mean(blocks))
        errors.append(np.std(blocks, ddof=1) / np.sqrt(10))
    assert max(errors) < 0.03
    assert abs(means[0] - means[1]) < 4 * np.hypot(*errors)
