"""Certificates: independent frames, reweighting where the truth is known, verdicts, bad input."""

import json
import math
import sys
from pathlib import Path

import ase.io
import certificate_frames
import numpy as np
import pandas as pd
import pytest
import select_frames
from ase import Atoms
from ase.build import bulk
from samples import write_random_pool
from studies import STUDY, alter, mistakes
from trajectories import trajectory_of, write_dump

from minset.figures.data import picked_from_pool
from minset.label.potential import RECORD as LABELER
from minset.label.store import label_key
from minset.md.trajectory import Trajectory
from minset.observe.certificate import observe_certificate
from minset.observe.certificate_peaks import peak_rows
from minset.observe.certificate_rows import (
    CERTIFIED,
    NOT_CERTIFIED,
    UNDECIDED,
    WHOLE,
    Labelled,
    error_rows,
    judged,
    reweighted_rows,
    verdict_of_all,
)
from minset.observe.independent import (
    independence_ps,
    independent_frames,
    statistical_inefficiency,
)
from minset.observe.reweighting import (
    Reweighting,
    bootstrap,
    effective_frames,
    labels_mean,
    standard_error,
    weights_of,
)
from minset.pool.store import read_frames
from minset.study import read_study
from minset.units import BAR_EV_A3, BOLTZMANN_EV_K

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

T_K = 1200.0
KT_EV = BOLTZMANN_EV_K * T_K
TOLERANCES = {
    "frames": 32,
    "force_eV_A": 0.05,
    "energy_meV_atom": 2.0,
    "density_percent": 1.0,
    "pressure_bar": 500.0,
    "effective_frames": 10.0,
    "engine": "compressed",
}


def autoregressive(n: int, phi: float, seed: int = 1) -> np.ndarray:
    """x_t = phi x_(t-1) + noise, whose statistical inefficiency is (1 + phi) / (1 - phi)."""
    x, noise = np.zeros(n), np.random.default_rng(seed).normal(size=n)
    for t in range(1, n):
        x[t] = phi * x[t - 1] + noise[t]
    return x


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_statistical_inefficiency_of_an_autoregressive_series(phi):
    g = statistical_inefficiency(autoregressive(100_000, phi))
    assert g == pytest.approx((1 + phi) / (1 - phi), rel=0.08)


def test_what_does_not_change_is_independent():
    assert statistical_inefficiency(np.full(10, 3.0)) == 1
    assert statistical_inefficiency(np.array([1.0])) == 1


def thermo_of(volumes, interval_ps: float = 0.02) -> pd.DataFrame:
    n = len(volumes)
    energy = np.random.default_rng(5).normal(size=n)
    return pd.DataFrame(
        {
            "time_ps": np.arange(n) * interval_ps,
            "potential_energy_eV": energy,
            "volume_A3": volumes,
            "density_g_cm3": 4000 / np.asarray(volumes),
            "pressure_bar": 300 * energy,
        }
    )


def test_the_slower_of_energy_and_volume_decides_how_far_frames_are_apart():
    thermo = thermo_of(3000 + autoregressive(20_000, 0.9))
    assert independence_ps(thermo, "npt") == pytest.approx(19 * 0.02, rel=0.15)
    assert independence_ps(thermo, "nvt") == pytest.approx(0.02, rel=0.15)


@pytest.fixture
def run(tmp_path):
    """Trajectory of 2 ions over 40 ps, its thermodynamics, verdict and their files."""
    rng = np.random.default_rng(3)
    edges = 5 + 0.1 * rng.random((400, 1)) * np.ones(3)
    trajectory = trajectory_of(
        ["K", "Cl"], {"K": 1.0, "Cl": -1.0}, rng.random((400, 2, 3)) * 5, edges, every=50
    )
    thermo = thermo_of(3000 + autoregressive(2000, 0.9, seed=2))
    protocol = {"ensemble": "npt", "timestep_fs": 2.0, "duration_ps": 40.0}
    protocol["temperature_K"] = [T_K, T_K]
    write_dump(tmp_path / "trajectory.lammpstrj", trajectory)
    thermo.to_csv(tmp_path / "thermo.csv", index=False)
    verdict = {"stable": True, "reason": "", "protocol": protocol}
    (tmp_path / "verdict.json").write_text(json.dumps(verdict))
    return trajectory, thermo, protocol


def test_frames_are_evenly_over_the_run_and_exact_as_text(run, tmp_path):
    trajectory, thermo, protocol = run
    frames, table = independent_frames(trajectory, thermo, protocol, 16)
    assert len(frames) == len(table) == 16
    assert np.diff(table["time_ps"]) == pytest.approx(2.5)
    k = table["frame"].iloc[3]
    assert table["time_ps"].iloc[3] == pytest.approx(trajectory.steps[k] * 0.002)
    assert frames[3].positions == pytest.approx(trajectory.positions_A[k], abs=1e-8)
    ase.io.write(tmp_path / "frames.xyz", frames, format="extxyz")
    for frame, again in zip(frames, ase.io.read(tmp_path / "frames.xyz", ":"), strict=True):
        assert np.array_equal(frame.positions, again.positions)
        assert np.array_equal(frame.cell, again.cell)


def test_a_short_run_gives_fewer_frames_and_says_so(run, capsys):
    trajectory, thermo, protocol = run
    frames, table = independent_frames(trajectory, thermo, protocol, 300)
    apart = independence_ps(thermo, "npt")
    assert len(frames) == int(40 / apart) < 300
    # to the interval of the trajectory
    assert np.diff(table["time_ps"]).min() > apart - 0.1
    assert "300 were asked for: the run would have to be" in capsys.readouterr().out


def make_set(tmp_path, most: int = 16) -> tuple[Path, Path]:
    files = {name: tmp_path / f"{name}.csv" for name in ("thermo", "table")}
    files |= {"frames": tmp_path / "set.h5", "verdict": tmp_path / "verdict.json"}
    certificate_frames.main(tmp_path / "trajectory.lammpstrj", most=most, **files)
    return files["frames"], files["table"]


def test_a_set_has_the_frames_and_where_they_are_from(run, tmp_path):
    frames, table = make_set(tmp_path)
    listed = pd.read_csv(table)
    assert set(listed["origin"]) == {str(tmp_path / "trajectory.lammpstrj")}
    assert len(read_frames(frames)) == len(listed) == 16


def test_a_run_that_broke_gives_a_set_without_frames(run, tmp_path, capsys):
    verdict = {"stable": False, "reason": "at 1.00 ps: force of 99.0 eV/A"}
    (tmp_path / "verdict.json").write_text(json.dumps(verdict))
    frames, table = make_set(tmp_path)
    assert frames.stat().st_size == 0
    assert pd.read_csv(table).empty
    assert "the simulation broke at 1.00 ps: force of 99.0 eV/A" in capsys.readouterr().out


def test_weights_are_boltzmann_factors_and_know_no_constant():
    difference = KT_EV * np.array([0.0, math.log(2), math.log(4)])
    expected = np.array([4, 2, 1]) / 7
    assert weights_of(difference, T_K) == pytest.approx(expected)
    assert weights_of(difference - 1e4, T_K) == pytest.approx(expected)
    assert effective_frames(np.full(8, 1 / 8)) == pytest.approx(8)
    assert effective_frames(expected) == pytest.approx(49 / 21)


def oscillator(run: np.ndarray, energies_kT, every: int = 1) -> tuple[Reweighting, np.ndarray]:
    """Reweighting of a run (T,) in which every so many samples are labelled, and those samples."""
    frames = run[::every]
    return Reweighting(energies_kT(frames), frames[:, None], run[:, None]), frames


def test_reweighting_a_harmonic_oscillator_gives_the_shifted_one():
    """Model x^2 / 2, labels x^2 / 2 + a x in kT: the labels' mean is -a, and that of x^2 1 + a^2."""
    run, a = np.random.default_rng(1).normal(size=40_000), 0.5
    how, x = oscillator(run, lambda x: a * x, every=20)
    values, of_run = np.column_stack([x, x**2]), np.column_stack([run, run**2])
    mean = labels_mean(how, values, values, of_run)
    assert mean.value == pytest.approx([-a, 1 + a**2], abs=0.04)
    assert mean.resampled.shape == (2000, 2)
    assert mean.run_series.mean(axis=0) == pytest.approx(0, abs=1e-9)


def test_reweighting_a_stiffer_oscillator_gives_its_width():
    """Labels x^2 / 2 (1 + k), of which nothing is linear: the mean of x^2 is 1 / (1 + k)."""
    run, k = np.random.default_rng(2).normal(size=40_000), 0.4
    how, x = oscillator(run, lambda x: k * x**2 / 2)
    mean = labels_mean(how, x**2, x**2, run**2)
    error = standard_error(mean.resampled, len(x))
    assert mean.value == pytest.approx(1 / (1 + k), abs=0.02)
    assert abs(mean.value - 1 / (1 + k)) < 4 * error


def test_with_few_frames_it_is_the_mean_of_the_run_and_a_correction():
    rng = np.random.default_rng(3)
    how, x = oscillator(rng.normal(size=500), lambda x: 0.7 * x + rng.normal(size=len(x)), 100)
    w = weights_of(KT_EV * how.reduced, T_K)
    mean = labels_mean(how, x, x + 1, how.run[:, 0])
    assert mean.value == pytest.approx(how.run.mean() + w @ (x + 1) - x.mean())


def test_a_quantity_that_differs_between_model_and_labels_has_the_labels_values():
    how, x = oscillator(np.random.default_rng(2).normal(size=1000), np.zeros_like)
    mean = labels_mean(how, x, x + 3, how.run[:, 0])
    assert mean.value == pytest.approx(how.run.mean() + 3)
    assert mean.resampled == pytest.approx(how.run.mean() + 3)


def test_resamples_are_means_of_frames_drawn_again():
    """The same as with the frames themselves, one resample after the other."""
    rng = np.random.default_rng(4)
    run, labels = rng.normal(size=60), rng.normal(size=12)
    how, x = oscillator(run, lambda x: 0.5 * x + 0.2 * labels, every=5)
    resampled = labels_mean(how, x, labels, run).resampled
    drawn = np.random.default_rng(1).integers(0, 12, (2000, 12))
    for row in (0, 7, 1999):
        k = drawn[row]
        again = Reweighting(how.reduced[k], how.frames[k], how.run)
        expected = labels_mean(again, x[k], labels[k], run).value
        assert resampled[row] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_intervals_hold_the_truth(noise):
    """Volumes with a gamma distribution, whose labels favour small ones: the mean is known."""
    rng, shape, holds, repetitions = np.random.default_rng(6), 9.0, 0, 60
    truth = (shape / (1 + 0.7 / 3) - shape) / 3
    for _ in range(repetitions):
        run = (rng.gamma(shape, size=160) - shape) / 3
        how, x = oscillator(run, lambda x: 0.7 * x + noise * rng.normal(size=len(x)), every=5)
        mean = labels_mean(how, x, x, run)
        effective = effective_frames(weights_of(KT_EV * how.reduced, T_K))
        error = standard_error(mean.resampled, effective)
        total = math.hypot(error, mean.run_series.std(ddof=1) / math.sqrt(len(run)))
        holds += abs(mean.value - truth) <= 2 * total
    assert holds >= 0.9 * repetitions


def test_few_frames_have_wider_intervals():
    resampled = np.random.default_rng(1).normal(size=10_000)
    assert standard_error(resampled, 1e6) == pytest.approx(0.98, abs=0.02)
    assert standard_error(resampled, 5) == pytest.approx(2.776 / 2, abs=0.03)
    assert bootstrap(lambda k: k.mean(), 50).std() == pytest.approx(14.4 / math.sqrt(50), rel=0.1)


@pytest.mark.parametrize(
    ("difference", "stderr", "verdict", "words"),
    [
        (0.2, 0.3, CERTIFIED, None),
        (-2.0, 0.4, NOT_CERTIFIED, "off by -2 +- 0.8 bar, tolerance 1"),
        (0.5, 0.5, UNDECIDED, "about 128 frames would decide"),
        (0.99, 0.5, UNDECIDED, "a better model or another tolerance would decide"),
    ],
)
def test_a_verdict_counts_the_interval(difference, stderr, verdict, words):
    row = judged(difference, stderr, 1.0, 32, "bar")
    assert row["verdict"] == verdict
    assert words in row["reason"] if words else row["reason"] is None


def test_where_the_run_is_too_short_more_frames_are_no_advice():
    row = judged(0.5, 0.5, 1.0, 32, "bar", of_run=0.4)
    assert row["reason"].endswith("a longer run, or another tolerance, would decide")
    # 32 (1^2 - 0.3^2) / (0.5^2 - 0.3^2)
    assert "about 182 frames" in judged(0.5, 0.5, 1.0, 32, "bar", of_run=0.15)["reason"]


def test_the_verdict_on_all_is_the_worst():
    rows = [{"quantity": "density"} | judged(d, 0.1, 1.0, 32, "g/cm^3") for d in (0.1, 0.95, 3.0)]
    assert verdict_of_all(rows, ["a note"])["verdict"] == NOT_CERTIFIED
    assert verdict_of_all(rows, ["a note"])["reason"].startswith("density off by 3 ")
    assert verdict_of_all(rows, ["a note"])["reason"].endswith("; a note")
    assert verdict_of_all(rows[:2], [])["verdict"] == UNDECIDED
    assert verdict_of_all(rows[:1], []) == {"quantity": WHOLE, "verdict": CERTIFIED, "reason": None}


def labelled_frames(m: int = 32, scatter_kT: float = 0.3, **changed) -> Labelled:
    """Frames of two ions in cubes, whose labels differ from the model by noise."""
    rng = np.random.default_rng(8)
    frames = [Atoms("KCl", cell=[14.4 + 0.1 * x] * 3, pbc=True) for x in rng.normal(size=m)]
    model, noise = rng.normal(size=m), scatter_kT * KT_EV * rng.normal(size=m)
    forces = rng.normal(size=(m, 2, 3))
    stress = 1e-4 * rng.normal(size=(m, 3, 3))
    content = {
        "ensemble": "npt",
        "temperature_K": T_K,
        "frames": frames,
        "label_eV": model + noise,
        "model_eV": model,
        "label_forces_eV_A": forces,
        "model_forces_eV_A": forces + 0.02,
        "label_stress_eV_A3": stress,
        "model_stress_eV_A3": stress + 500 * BAR_EV_A3 * np.eye(3),
        "weights": weights_of(noise, T_K),
    }
    return Labelled(**content | changed)


def test_errors_on_the_own_trajectory_stand_beside_those_on_the_test_set():
    of = labelled_frames(scatter_kT=0.0)
    forces = pd.DataFrame({"model_eV_A": [0.0, 0.3], "label_eV_A": [0.1, 0.2]})
    energies = pd.DataFrame({"model_eV_atom": [1.0, 2.0], "label_eV_atom": [1.001, 2.003]})
    rows = {row["quantity"]: row for row in error_rows(of, (forces, energies), TOLERANCES)}
    assert rows["force_rmse"]["difference"] == pytest.approx(0.02)
    assert rows["force_rmse"]["test_set"] == pytest.approx(0.1)
    assert rows["force_rmse"]["verdict"] == CERTIFIED
    assert rows["force_l4"]["difference"] == pytest.approx(0.02)
    assert rows["force_l4"]["verdict"] is None
    assert rows["force_max"]["test_set"] == pytest.approx(0.1)
    assert rows["energy_bias"]["test_set"] == pytest.approx(-2.0)
    assert rows["energy_bias"]["difference"] == pytest.approx(0.0)
    assert rows["energy_scatter"]["test_set"] == pytest.approx(1.0)


def by_quantity(of: Labelled, **changed) -> dict[str, dict]:
    thermo = thermo_of([frame.cell.volume for frame in of.frames] * 8)
    rows = reweighted_rows(of, thermo, TOLERANCES | changed)
    return {row["quantity"]: row for row in rows}


def test_labels_that_agree_give_the_means_of_the_run():
    rows = by_quantity(labelled_frames(scatter_kT=0.0))
    assert set(rows) == {"potential_energy", "density"}
    for row in rows.values():
        assert row["labels"] == pytest.approx(row["model"])
        assert row["labels_stderr"] == pytest.approx(row["model_stderr"])
    assert rows["density"]["verdict"] == CERTIFIED
    assert rows["potential_energy"]["verdict"] is None


def test_a_density_is_certified_within_its_per_cents():
    of = labelled_frames()
    (row,) = [by_quantity(of)["density"]]
    assert row["tolerance"] == pytest.approx(0.01 * row["model"])
    assert abs(row["difference"]) < 3 * row["difference_stderr"]
    assert 0 < row["difference_stderr"] < 0.02 * row["model"]
    assert 0 < row["labels_stderr"] < 0.02 * row["model"]
    narrow = by_quantity(of, density_percent=1e-4)["density"]
    assert narrow["verdict"] != CERTIFIED
    assert narrow["reason"]


def test_a_pressure_off_at_constant_volume_is_not_certified():
    """A model whose stress is 500 bar more tensile has a pressure 500 bar too low."""
    of = labelled_frames(ensemble="nvt", scatter_kT=0.0)
    row = by_quantity(of, pressure_bar=100.0)["pressure"]
    assert row["difference"] == pytest.approx(-500)
    assert row["verdict"] == NOT_CERTIFIED
    assert by_quantity(of, pressure_bar=501.0)["pressure"]["verdict"] == CERTIFIED


def test_labels_without_stress_tell_no_pressure():
    rows = by_quantity(labelled_frames(ensemble="nvt", scatter_kT=0.0, label_stress_eV_A3=None))
    assert rows["pressure"]["reason"] == "the labels have no stress"
    assert rows["pressure"]["verdict"] is None
    whole = verdict_of_all(list(rows.values()), [])
    assert (whole["verdict"], whole["reason"]) == (CERTIFIED, "pressure the labels have no stress")


def test_too_few_effective_frames_leave_undecided():
    row = by_quantity(labelled_frames(scatter_kT=3.0))["density"]
    assert row["verdict"] == UNDECIDED
    assert "effective of 32 frames, 10 are needed" in row["reason"]
    assert "labels" not in row


def crystals(expansions, energies_kT) -> tuple[Labelled, Trajectory]:
    """Vibrating rocksalt in two sizes as frames and as the run, with labels that tell them apart."""
    rng, frames = np.random.default_rng(9), []
    for expansion in expansions:
        atoms = bulk("KCl", "rocksalt", a=6.4 * expansion, cubic=True) * (2, 2, 2)
        atoms.positions += rng.normal(scale=0.12, size=(len(atoms), 3))
        frames.append(atoms)
    energies = KT_EV * np.asarray(energies_kT, float)
    of = labelled_frames(
        len(frames),
        frames=frames,
        model_eV=np.zeros(len(frames)),
        label_eV=energies,
        weights=weights_of(energies, T_K),
    )
    trajectory = trajectory_of(
        frames[0].get_chemical_symbols(),
        {"K": 1.0, "Cl": -1.0},
        np.array([atoms.positions for atoms in frames]),
        np.array([atoms.cell.lengths() for atoms in frames]),
    )
    return of, trajectory


def run_of(of: Labelled) -> tuple[pd.DataFrame, float]:
    """Thermodynamics and time step of a run that has a row for each of the frames and nothing else."""
    return thermo_of([frame.cell.volume for frame in of.frames]), 2.0


def test_peaks_move_to_where_the_labels_have_them():
    """Of crystals with 3.2 and 3.4 A between unlike ions the labels prefer the larger, nine to one."""
    large = np.arange(40) % 2 == 1
    of, trajectory = crystals(np.where(large, 3.4 / 3.2, 1.0), np.where(large, -math.log(9), 0.0))
    settings = {"range_A": 6.0, "bins": 120, "effective_frames": 5.0}
    rows = {
        (row["pair"], row["quantity"]): row
        for row in peak_rows(of, trajectory, *run_of(of), settings)
    }
    assert {pair for pair, _ in rows} == {"K-K", "K-Cl", "Cl-Cl"}
    position = rows["K-Cl", "peak_position"]
    assert position["labels"] == pytest.approx(3.37, abs=0.04)
    assert position["model"] < position["labels"] - 0.03
    assert 0 < position["difference_stderr"] < 0.1
    settings["effective_frames"] = 39.0
    few = peak_rows(of, trajectory, *run_of(of), settings)
    assert not [row for row in few if "labels" in row]


def test_peaks_of_labels_that_agree_are_those_of_the_run():
    of, trajectory = crystals(np.ones(20), np.zeros(20))
    settings = {"range_A": 20.0, "bins": 400, "effective_frames": 5.0}
    rows = peak_rows(of, trajectory, *run_of(of), settings)
    assert rows[0]["pair"] == "K-K"
    for row in rows:
        assert row["difference"] == pytest.approx(0, abs=1e-9)
        assert row["labels"] == pytest.approx(row["model"])


def test_one_frame_decides_nothing():
    of = labelled_frames(1)
    test = pd.DataFrame({"model_eV_A": [0.0], "label_eV_A": 0.1})
    energies = pd.DataFrame({"model_eV_atom": [1.0], "label_eV_atom": 1.0})
    thermo = thermo_of(3000 + autoregressive(100, 0.5))
    rows = error_rows(of, (test, energies), TOLERANCES) + reweighted_rows(of, thermo, TOLERANCES)
    assert {row["verdict"] for row in rows} == {UNDECIDED, None}
    assert "of one frame alone" in rows[0]["reason"]


def broken(tmp_path) -> dict:
    return {"verdict": {"stable": False, "reason": "at 3.00 ps: force of 99.0 eV/A"}}


def unlabelled(tmp_path) -> dict:
    rows = {"origin": "t", "frame": [1, 2], "key": "", "status": "failed", "reason": "no SCF"}
    pd.DataFrame(rows).to_csv(tmp_path / "part-0.csv", index=False)
    return {"verdict": {"stable": True}, "labels": [tmp_path / "part-0.csv"]}


@pytest.mark.parametrize(
    ("case", "verdict", "reason"),
    [
        (broken, NOT_CERTIFIED, "the simulation broke at 3.00 ps: force of 99.0 eV/A"),
        (unlabelled, UNDECIDED, "no frame has a label: no SCF"),
    ],
)
def test_a_certificate_without_frames_is_a_verdict_in_words(case, verdict, reason, tmp_path):
    tables = observe_certificate(case(tmp_path), {}, TOLERANCES)
    (row,) = tables["certificate"].to_dict("records")
    assert (row["quantity"], row["verdict"], row["reason"]) == (WHOLE, verdict, reason)
    assert tables["certificate_frames"].empty


def certificate_tables(tmp_path, listed: pd.DataFrame, verdict: str) -> list[Path]:
    """Tables of a certificate with labels of all frames of a set but the first."""
    row = {"quantity": WHOLE, "verdict": verdict, "reason": "density off by 3"}
    pd.DataFrame([row]).to_csv(tmp_path / "certificate.csv", index=False)
    errors = listed.iloc[1:].assign(force_rmse_eV_A=np.linspace(0.1, 0.2, len(listed) - 1))
    errors.to_csv(tmp_path / "certificate_frames.csv", index=False)
    return [tmp_path / "certificate.csv", tmp_path / "certificate_frames.csv"]


def select(
    tmp_path, size: int, verdict: str = NOT_CERTIFIED, known=(), tables=None
) -> pd.DataFrame:
    """The script of a selection that goes on from a certificate of 16 frames, or from its tables."""
    pool = write_random_pool(tmp_path / "pool.h5", 20)
    split = pd.DataFrame({"frame": range(20), "role": "candidate", "run": 0})
    split.to_csv(tmp_path / "split.csv", index=False)
    frames, table = make_set(tmp_path)
    tables = tables or certificate_tables(tmp_path, pd.read_csv(table), verdict)
    select_frames.main(
        pool,
        tmp_path / "split.csv",
        tmp_path / "picked.h5",
        tmp_path / "picked.csv",
        "certificate",
        seed=1,
        size=size,
        options={"first": "random"},
        known=known,
        certificate=[frames, table, *tables],
    )
    return pd.read_csv(tmp_path / "picked.csv")


def test_frames_of_a_failed_certificate_are_the_next_training_frames(run, tmp_path):
    known = tmp_path / "known.csv"
    pd.DataFrame({"pick": range(4), "origin": str(tmp_path / "pool.h5"), "frame": range(4)}).to_csv(
        known, index=False
    )
    picks = select(tmp_path, 9, known=[known])
    assert picks["pick"].tolist() == [4, 5, 6, 7, 8]
    assert set(picks["origin"]) == {str(tmp_path / "trajectory.lammpstrj")}
    listed = pd.read_csv(tmp_path / "table.csv")
    assert listed["frame"].iloc[0] not in picks["frame"].tolist(), "it has no label"
    assert np.diff(picks["frame"]).min() >= 2 * np.diff(listed["frame"]).min()
    assert (picks["unit"] == "eV/A").all()


def test_their_labels_are_not_computed_again(run, tmp_path, kcl):
    """A picked frame has the label key of the frame of the certificate."""
    picks = select(tmp_path, 3)
    listed = pd.read_csv(tmp_path / "table.csv")
    of_certificate = read_frames(tmp_path / "set.h5")
    settings = {"potential": kcl["potential"], "charges": {"K": 1.0, "Cl": -1.0}}
    for frame, atoms in zip(picks["frame"], read_frames(tmp_path / "picked.h5"), strict=True):
        same = of_certificate[listed.index[listed["frame"] == frame][0]]
        keys = {label_key(a, "potential", LABELER.physics(settings, a)) for a in (atoms, same)}
        assert len(keys) == 1


def test_nothing_is_added_where_everything_is_certified(run, tmp_path, capsys):
    assert select(tmp_path, 8, CERTIFIED).empty
    assert (tmp_path / "picked.h5").stat().st_size == 0
    assert "nothing is added" in capsys.readouterr().out


def test_a_certificate_with_fewer_frames_gives_them_all_and_says_so(run, tmp_path, capsys):
    assert len(select(tmp_path, 18)) == 15
    assert "raise `certificate.frames` of the simulation" in capsys.readouterr().out


def test_picks_of_trajectories_are_told_from_those_of_the_pool(run, tmp_path):
    """After a size from a trajectory the next one from the pool knows the pool's picks alone."""
    known = tmp_path / "known.csv"
    rows = {"pick": range(3), "origin": [str(tmp_path / "pool.h5"), "t", "t"], "frame": [0, 1, 2]}
    pd.DataFrame(rows).to_csv(known, index=False)
    (tmp_path / "verdict.json").write_text(json.dumps({"stable": False, "reason": "at 0 ps"}))
    broke = observe_certificate(broken(tmp_path), {}, TOLERANCES)
    for name, content in broke.items():
        content.to_csv(tmp_path / f"{name}.csv", index=False)
    tables = [tmp_path / f"{name}.csv" for name in broke]
    picks = select(tmp_path, 20, known=[known], tables=tables)
    assert set(picks["origin"]) == {str(tmp_path / "pool.h5")}
    assert picks["pick"].tolist() == list(range(3, 20))
    assert 0 not in picks["frame"].tolist()
    assert {1, 2} & set(picks["frame"])


def test_figures_of_the_pool_show_picks_of_the_pool_alone(tmp_path):
    path, origins = tmp_path / "selection.csv", ["results/pool.h5", "run/trajectory.lammpstrj"]
    pd.DataFrame({"origin": origins, "frame": [3, 999]}).to_csv(path, index=False)
    assert picked_from_pool(path)["frame"].tolist() == [3]


NPT, SELECTOR = "simulations/npt_1200K", {"selector": "certificate", "model": "small"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"simulations/nvt_1200K/certificate": {}, "simulations/nvt_1200K/ensemble": "nve"},
            "simulations.nvt_1200K.certificate: needs a constant temperature, and this run is in nve",
        ),
        (
            {f"{NPT}/certificate": {}, f"{NPT}/models": []},
            "simulations.npt_1200K.certificate: only trained models are certified, and none runs",
        ),
        (
            {f"{NPT}/certificate": {"frames": 200}},
            "simulations.npt_1200K.certificate.frames: 200 frames of a run with 100 samples",
        ),
        (
            {f"{NPT}/certificate": {"frames": 8}},
            "certificate.effective_frames: 10 can never be reached with 8 frames",
        ),
        ({f"{NPT}/certificate": {"density": 1}}, "unknown key density"),
        (
            {"selectors/own": SELECTOR | {"simulation": "npt_1200K"}, "sizes": [4, 8]},
            "selectors.own.simulation: npt_1200K has no certificate; give simulations.npt_1200K the key",
        ),
        (
            {"selectors/own": SELECTOR | {"simulation": "npt"}, "sizes": [4, 8]},
            "selectors.own.simulation: npt is not among the study's simulations (nvt_1200K, npt_1200K)",
        ),
        (
            {
                "selectors/own": SELECTOR | {"simulation": "npt_1200K"},
                "sizes": [4, 8],
                f"{NPT}/certificate": {},
                f"{NPT}/sizes": [8],
            },
            "which does not run for it; add 4 to simulations.npt_1200K.sizes",
        ),
        (
            {
                "selectors/own": SELECTOR | {"simulation": "npt_1200K", "first": "disagreement"},
                "sizes": [4, 8],
                f"{NPT}/certificate": {},
            },
            "selectors.own.first: disagreement cannot choose the first size",
        ),
    ],
)
def test_mistakes_are_told_before_a_run(config, changes, message):
    alter(config, STUDY, changes)
    (line,) = mistakes(config)
    assert message in line
    assert line.startswith(str(config / STUDY))


def test_given_labels_certify_nothing(config):
    alter(config, "studies/demo-frames.yaml", {"labels": {"labeler": "given"}})
    simulation = next(iter(read_study("demo-frames", config).settings["simulations"]))
    alter(config, "studies/demo-frames.yaml", {f"simulations/{simulation}/certificate": {}})
    assert [m for m in mistakes(config, "demo-frames") if "those of a simulation have none" in m]


def test_sets_of_certificates_are_known_to_a_study(config):
    changes = {f"{NPT}/certificate": {"frames": 20}, "sizes": [4, 8], "labels/frames_per_job": 16}
    changes |= {"selectors": {"own": SELECTOR | {"simulation": "npt_1200K"}}}
    alter(config, STUDY, changes)
    study = read_study("demo-classical", config)
    name = "certificate/npt_1200K/own-n4-s1-small"
    assert study.certificates == [name, name.replace("n4", "n8")]
    assert study.frames_of(name) == 20
    assert study.label_parts(name) == [0, 1]
    assert study.labelled_sets == ["held_out", *study.certificates, "own-n4-s1", "own-n8-s1"]
    assert f"{name}/part-1" in study.job_names
    assert study.selector("own-n4-s1") == "random"
    assert study.certificate_files("own-n4-s1") == []
    assert study.selector("own-n8-s1") == "certificate"
    assert study.certificate_files("own-n8-s1")[0].endswith(f"{name}.h5")
    assert study.selector_options("own-n8-s1") == {"first": "random"}
    # tolerances change no run
    assert "certificate" not in study.simulation("npt_1200K")


@pytest.mark.slow
def test_densities_of_a_liquid_are_known_to_their_intervals():
    """Runs of one potential, labelled by another: the labels' own density lies in the interval."""
    from measure_certificate import measured

    table = measured(20)
    assert table[table["quantity"] == "density"]["holds"].sum() >= 18
