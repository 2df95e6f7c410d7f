"""Figures of large and of the smallest studies, drawn from tables made by formula."""

from pkgutil import resolve_name

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from studies import CONFIG

from minset.compare.learning import ERRORS, learning_curve, stable_fraction
from minset.figures import FIGURES, simulation, system_shown
from minset.figures.data import picked_from_pool
from minset.names import run_row, shown_engines
from minset.study import read_study

SELECTORS = (
    "random",
    "rnd",
    "fps",
    "force",
    "atomic_energy",
    "global_energy",
    "single_run_random",
    "entropy_gain",
    "rnd_atoms",
)
LARGE = {"selectors": SELECTORS, "sizes": (16, 32, 64, 128), "seeds": (1, 2)}
LARGE |= {"models": ("medium", "gap")}
SMALL = {"selectors": ("rnd",), "sizes": (8,), "seeds": (1,), "models": ("small",)}


def distributions(sets) -> pd.DataFrame:
    """Distributions of components and of distances, as `coverage` writes them."""
    value = np.linspace(-3, 3, 60)
    rows = [(f"component {k}", name, name) for k in range(1, 7) for name in sets]
    rows += [("log10 distance", a, b) for a in sets for b in sets]
    curves = [
        pd.DataFrame({"value": value, "density": np.exp(-(value**2)) * (abs(value) < 2 + k % 3)})
        for k in range(len(rows))
    ]
    names = ("quantity", "training", "testing")
    return pd.concat(
        curve.assign(**dict(zip(names, row, strict=True)))
        for row, curve in zip(rows, curves, strict=True)
    )


def study_files(folder, small_pool, selectors, sizes, seeds, models) -> tuple[dict, dict]:
    """Tables of a study: single files, and tables of runs with what identifies each, by figure."""
    rng = np.random.default_rng(1)
    errors, stability = [], []
    tables = {name: [] for name in ("rdf", "msd", "loss", "parity", "equation_of_state")}
    for selector in selectors:
        for size in sizes:
            for seed in seeds:
                for k, model in enumerate(models):
                    n = SELECTORS.index(selector)
                    scale = (1 + 0.12 * n + 0.3 * k) * np.exp(rng.normal(0, 0.08))
                    run = f"{selector}-n{size}-s{seed}-{model}"
                    row = {"selector": selector, "size": size, "seed": seed, "model": model}
                    errors.append(
                        row
                        | {
                            "test_frames": 100,
                            "force_rmse_eV_A": 0.4 * scale * size**-0.4,
                            "force_mae_eV_A": 0.3 * scale * size**-0.4,
                            "force_l4_eV_A": 3.0 * scale * size**-0.7,
                            "force_max_eV_A": 30.0 * scale**2 * size**-0.7,
                        }
                    )
                    stable = bool(rng.random() < 1.1 - 0.1 * n - 0.5 * (size < 64))
                    stability.append(
                        {
                            "simulation": "nvt_1200K",
                            "engine": run,
                            "temperature_K": 1200,
                            "stable": stable,
                            "phase": "production",
                            "reached_ps": 100.0 if stable else 100 * rng.random(),
                            "ns_per_day": 100,
                            "reason": "" if stable else "at 1 ps: a force of 60 eV/A",
                        }
                    )
    engines = ["bmhtf"] + [row["engine"] for row in stability]
    stability.insert(0, stability[0] | {"engine": "bmhtf", "stable": True, "reached_ps": 100.0})
    r = np.arange(0.025, 8, 0.05)
    for engine, verdict in zip(engines, stability, strict=True):
        row = {"simulation": "nvt_1200K", "engine": engine, "temperature_K": 1200}
        artefact = 0.0 if verdict["stable"] else np.exp(-(((r - rng.uniform(1, 2)) / 0.1) ** 2))
        g = (
            1
            / (1 + np.exp(-(r - 3.4) / 0.12))
            * (1 + np.exp(-((r - 4.2) ** 2)) * rng.normal(1, 0.05))
        )
        parts = [
            pd.DataFrame({"pair": pair, "r_A": r, "g": g + artefact, "g_stderr": 0.01})
            for pair in ("K-K", "K-Cl", "Cl-Cl")
        ]
        path = folder / f"rdf-{engine}.csv"
        pd.concat(parts).assign(stable=verdict["stable"], frames=100).to_csv(path, index=False)
        tables["rdf"].append((path, row | {"source": "MDAnalysis"}))
        lag = np.linspace(0.1, 10, 30)
        msd = pd.DataFrame({"time_ps": lag, "msd_A2": 5 * lag, "msd_stderr_A2": 0.3})
        path = folder / f"msd-{engine}.csv"
        pd.concat([msd.assign(fit_A2=5 * lag, species=s) for s in ("K", "Cl")]).to_csv(path)
        tables["msd"].append((path, row))
    for engine in shown_engines(engines[1:]):
        label = rng.normal(0, 0.6, 300)
        path = folder / f"forces-{engine}.csv"
        pd.DataFrame(
            {
                "label_eV_A": label,
                "model_eV_A": label + rng.normal(0, 0.1, 300),
                "species": ["K", "Cl"] * 150,
            }
        ).to_csv(path)
        tables["parity"].append((path, run_row(engine)))
        epoch = np.arange(100)
        path = folder / f"history-{engine}.csv"
        pd.DataFrame(
            {
                "epoch": epoch,
                "train_loss": np.exp(-epoch / 30),
                "validation_loss": 0.1 + np.exp(-epoch / 30),
                "validation_force_rmse_eV_A": 0.1 + np.exp(-epoch / 30),
            }
        ).to_csv(path)
        tables["loss"].append((path, run_row(engine)))
    models_of = pd.DataFrame(errors)
    runs = pd.DataFrame(stability)
    value = {"source": "kinisi", "simulation": "nvt_1200K", "temperature_K": 1200}
    transport = pd.DataFrame([value | {"engine": engine} for engine in [*engines, "experiment"]])
    diffusion = pd.concat([transport.assign(species=s) for s in ("K", "Cl")])
    pool, frames, _ = small_pool
    content = {
        "errors": models_of,
        "stability": runs,
        "learning_curve": learning_curve(models_of),
        "stable_fraction": stable_fraction(runs),
        "diffusion": diffusion.assign(
            **{"diffusion_1e-9_m2_s": 8.0, "diffusion_stderr_1e-9_m2_s": 0.5}
        ),
        "conductivity": transport.assign(conductivity_S_cm=2.5, conductivity_stderr_S_cm=0.3),
        "density": transport.assign(density_g_cm3=1.4, density_stderr_g_cm3=0.01),
        "certificate": pd.DataFrame(
            [
                {
                    "simulation": simulation,
                    "engine": engine,
                    "temperature_K": 1200,
                    "quantity": quantity,
                    "model": 1.40 + 0.01 * rng.normal(),
                    "model_stderr": 0.005,
                    "labels": 1.41 if k % 3 else np.nan,
                    "labels_stderr": 0.008,
                    "difference": 0.01 * rng.normal(),
                    "difference_stderr": 0.004,
                    "test_set": 0.02,
                    "tolerance": 0.014,
                }
                for simulation, name in (("npt_1200K", "density"), ("nvt_1200K", "pressure"))
                for k, engine in enumerate(engines[1:])
                for quantity in ("force_rmse", "energy_bias", name)
            ]
        ),
        "selection": pd.DataFrame(
            [
                {
                    "selector": s,
                    "seed": seed,
                    "pick": k,
                    "frame": int(frame),
                    "score": 1.0 / (k + 1),
                }
                for s in selectors
                for seed in seeds
                for k, frame in enumerate(rng.choice(len(frames), 16, replace=False))
            ]
        ),
    }
    content |= crystal_tables(engines, rng)
    for engine in shown_engines(engines):
        path, volume = folder / f"energy_volume-{engine}.csv", np.linspace(15, 25, 11)
        curve = pd.DataFrame({"volume_A3_atom": volume, "energy_eV_atom": (volume - 20) ** 2 / 50})
        curves = [curve.assign(structure=structure) for structure in ("rocksalt", "cesiumchloride")]
        pd.concat(curves).to_csv(path, index=False)
        tables["equation_of_state"].append((path, {"engine": engine}))
    path = folder / "distributions.csv"
    distributions(selectors).to_csv(path, index=False)
    for name in ("coverage", "coverage_components"):
        tables[name] = [(path, {})]
    for name, table in content.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {name: folder / f"{name}.csv" for name in content} | {"pool": pool}, tables


def crystal_tables(engines: list[str], rng) -> dict[str, pd.DataFrame]:
    """Tables of observables of force engines; one of them has no numbers."""
    of_engines = pd.DataFrame(
        {"engine": engines, "note": ["no minimum", *[""] * (len(engines) - 1)]}
    )
    value = np.where(of_engines["note"] == "", 20 + rng.normal(size=len(engines)), np.nan)
    crystals = pd.concat(
        of_engines.assign(structure=name) for name in ("rocksalt", "cesiumchloride")
    )
    twice = np.tile(value, 2)
    return {
        "relaxation": crystals.assign(
            energy_eV_atom=-twice,
            relative_energy_meV_atom=twice,
            relative_to="rocksalt",
            volume_A3_atom=twice,
        ),
        "equation_of_state": crystals.assign(bulk_modulus_GPa=twice),
        "surface_energy": pd.concat(
            of_engines.assign(facet="rocksalt100", atoms=atoms, surface_energy_J_m2=value / 50)
            for atoms in ("unrelaxed", "relaxed")
        ),
        "elastic": crystals.assign(
            **dict.fromkeys(("c11_GPa", "c12_GPa", "c44_GPa", "c_prime_GPa"), twice)
        ),
    }


def draw(name: str, files: dict, tables: dict):
    """A figure as the workflow draws it."""
    system = system_shown(read_study("demo-classical", CONFIG), "kcl", name)
    runs = tables.get("rdf" if name == "rdf_selectors" else name, [])
    if name in ("rdf", "msd"):
        shown = shown_engines([row["engine"] for _, row in runs])
        runs = [(path, row) for path, row in runs if row["engine"] in shown]
    return resolve_name(FIGURES[name].draw)(system, files, runs)


@pytest.fixture(scope="module")
def large(tmp_path_factory, small_pool):
    return study_files(tmp_path_factory.mktemp("large"), small_pool, **LARGE)


@pytest.fixture(scope="module")
def small(tmp_path_factory, small_pool):
    return study_files(tmp_path_factory.mktemp("small"), small_pool, **SMALL)


@pytest.mark.parametrize("size", ["large", "small"])
@pytest.mark.parametrize("name", [n for n in FIGURES if n != "pool"])
@pytest.mark.filterwarnings("error")  # matplotlib warns where panels or legends do not fit
def test_every_figure_is_drawn_for_one_model_and_for_hundreds(name, size, request, tmp_path):
    figure = draw(name, *request.getfixturevalue(size))
    width, height = figure.get_size_inches()
    assert width < 15
    assert height < 20
    figure.savefig(tmp_path / "figure.png", dpi=50)
    plt.close(figure)
    assert plt.imread(tmp_path / "figure.png").std() > 0.02
    for axis in figure.axes:
        assert not axis.axison or min(axis.get_window_extent().size) > 50


def test_learning_curve_shows_the_table_and_the_stable_fraction(tmp_path):
    rows = [
        {"selector": "rnd", "size": n, "seed": k, "model": "small"}
        | dict.fromkeys(ERRORS, 2.0 / n * (1 + 0.1 * k))
        for n in (8, 16)
        for k in (1, 2, 3)
    ]
    curve = learning_curve(pd.DataFrame(rows))
    stability = pd.DataFrame(
        {
            "simulation": "nvt",
            "engine": [f"rnd-n{n}-s{k}-small" for n in (8, 16) for k in (1, 2, 3)],
            "stable": [False, False, False, True, True, True],
            "phase": "production",
            "reached_ps": [1.0, 2.0, 3.0, 10.0, 10.0, 10.0],
        }
    )
    files = {"learning_curve": tmp_path / "curve.csv", "stable_fraction": tmp_path / "stable.csv"}
    curve.to_csv(files["learning_curve"], index=False)
    stable_fraction(stability).to_csv(files["stable_fraction"], index=False)
    figure = draw("learning_curve", files, {})
    line = figure.axes[0].lines[0]
    assert line.get_ydata() == pytest.approx(curve["force_rmse_eV_A"])
    low, high = np.transpose([s[:, 1] for s in figure.axes[0].collections[0].get_segments()])
    assert low == pytest.approx(curve["force_rmse_low_eV_A"])
    assert high == pytest.approx(curve["force_rmse_high_eV_A"])
    marks = [mark for mark in figure.axes[0].lines if mark.get_marker() in ("s", "o")]
    assert [(m.get_marker(), m.get_markerfacecolor()) for m in marks] == [
        ("s", "w"),
        ("o", "w"),
        ("o", line.get_color()),
    ]
    plt.close(figure)


def test_distribution_of_picks_that_are_the_whole_pool_is_that_of_the_pool(tmp_path, small_pool):
    path, frames, _ = small_pool
    picks = pd.DataFrame({"selector": "all", "seed": 1, "frame": range(len(frames))})
    picks.assign(pick=picks["frame"]).to_csv(tmp_path / "selection.csv", index=False)
    figure = draw("distributions", {"selection": tmp_path / "selection.csv", "pool": path}, {})
    assert len([axis for axis in figure.axes if axis.axison]) == 4
    for axis in figure.axes:
        density = np.array([bar.get_height() for bar in axis.patches])
        width = axis.patches[0].get_width()
        assert density.sum() * width == pytest.approx(1)
        assert np.nan_to_num(axis.lines[0].get_ydata()) == pytest.approx(density)
    plt.close(figure)


def test_novelty_leaves_out_scores_that_are_energies_and_shows_the_whole_range(tmp_path):
    content = {
        "selector": ["random"] * 2 + ["global_energy"] * 2 + ["entropy_gain"] * 3,
        "seed": 1,
        "pick": [0, 1, 0, 1, 0, 1, 2],
        "score": [None, None, -300.0, -310.0, None, 2.0, -0.5],
        "target": [None, None, -301.0, -309.0, None, None, None],
    }
    pd.DataFrame(content).to_csv(tmp_path / "selection.csv", index=False)
    figure = draw("novelty", {"selection": tmp_path / "selection.csv"}, {})
    (axis,) = figure.axes
    assert axis.get_title() == "entropy_gain"
    assert list(axis.lines[0].get_ydata()) == [2.0, -0.5]
    assert axis.get_ylim()[0] <= -0.5
    plt.close(figure)


def test_pool_shows_every_selector_and_the_test_set(tmp_path):
    rng = np.random.default_rng(0)
    temperature, density = rng.uniform(1000, 2000, 60), rng.uniform(1.2, 1.6, 60)
    content = {
        "pool": {"frame": range(60), "temperature_K": temperature, "density_g_cm3": density},
        "split": {"frame": range(60), "role": ["test"] * 10 + ["candidate"] * 50},
        "selection": {
            "selector": ["rnd"] * 8 + ["fps"] * 4,
            "seed": [1] * 4 + [2] * 4 + [1] * 4,
            "frame": range(20, 32),
        },
    }
    for name, columns in content.items():
        pd.DataFrame(columns).to_csv(tmp_path / f"{name}.csv", index=False)
    figure = draw("pool", {name: tmp_path / f"{name}.csv" for name in content}, {})
    titles = ["test set: 10 frames", "rnd: 4 frames", "fps: 4 frames"]
    assert [axis.get_title() for axis in figure.axes] == titles
    picked = figure.axes[1].lines[1]
    assert np.array_equal(picked.get_xdata(), temperature[20:24])
    assert np.array_equal(picked.get_ydata(), density[20:24])
    plt.close(figure)


def test_figures_of_the_pool_show_no_frames_of_models_own_runs(tmp_path):
    """Of a certificate, by their trajectory, or of exploring, by model and walker."""
    origins = ["results/kcl/pool/demo/pool.h5", "results/kcl/simulation/npt/m/trajectory.lammpstrj"]
    origins += ["results/kcl/model/demo/slab-n8-s1-small/fcc100-1"]
    pd.DataFrame({"origin": origins, "frame": [3, 200, 275]}).to_csv(tmp_path / "a.csv")
    assert picked_from_pool(tmp_path / "a.csv")["frame"].tolist() == [3]


@pytest.mark.parametrize(
    ("comparable", "lines", "filled"), [(False, 0, [True]), (True, 1, [True, False])]
)
def test_densities_under_pressure_are_not_beside_an_experiment(comparable, lines, filled, tmp_path):
    fit = {"name": "Somebody", "a_g_cm3": 2.0, "b_g_cm3_K": 5e-4, "min_K": 1000, "max_K": 1300}
    rows = [("pressed", "random-n8-s1-small", 1.6)]
    rows += [("free", "random-n8-s1-small", 1.4), ("free", "experiment", 1.42)] * comparable
    table = pd.DataFrame(rows, columns=["simulation", "engine", "density_g_cm3"])
    table.assign(temperature_K=1200, density_stderr_g_cm3=0.01).to_csv(tmp_path / "d.csv")
    figure = simulation.density(
        {"name": "X", "density": [fit]}, {"density": tmp_path / "d.csv"}, []
    )
    (axis,) = figure.axes
    marks = [line for line in axis.lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() != "white" for line in marks] == filled
    assert marks == sorted(marks, key=lambda line: line.zorder)  # the open one lies on top
    assert len({line.zorder for line in marks}) == len(marks)
    assert sum(len(line.get_xdata()) == 50 for line in axis.lines) == lines
