"""Molecular dynamics: conservation, pressure, verdicts, and runs that were killed."""

import os
import signal
import subprocess
import sys
import time

import ase.io
import numpy as np
import pytest

from minset.contacts import closest_allowed_A
from minset.md import engines
from minset.md.engines import LIMITS, model_engine, potential_engine
from minset.md.melt import random_insertion
from minset.md.run import (
    FINAL,
    LAST_GOOD,
    TRAJECTORY,
    VERDICT,
    Protocol,
    read_thermo,
    run_md,
)
from minset.md.session import gather, load_atoms, open_lammps
from minset.md.trajectory import read_trajectory
from minset.model import evaluator_of
from minset.units import BAR_EV_A3

# of the tables of a SchNet, and of the network itself
REFERENCE = {"tables": False, "network": True}
# shortest distances of a pool of KCl, near 0.8 sigma
CLOSEST_A = closest_allowed_A({"K-K": 2.34, "K-Cl": 2.44, "Cl-Cl": 2.54})


def protocol(ensemble: str, duration_ps: float, **changes) -> Protocol:
    settings = {
        "temperature_K": (1200.0, 1200.0),
        "timestep_fs": 1.0,
        "sample_ps": 0.05,
        "thermo_ps": 0.01,
        "seed": 4,
        "checkpoint_ps": 0.25,
    }
    return Protocol(ensemble=ensemble, duration_ps=duration_ps, **(settings | changes))


def schnet(folder, engine="tables", **limits):
    return model_engine(folder, LIMITS | limits, CLOSEST_A, reference=REFERENCE[engine])


@pytest.fixture(params=["classical", *REFERENCE])
def attach(request, model_folder):
    if request.param == "classical":
        return potential_engine()
    return schnet(model_folder, request.param)


def test_nve_conserves_the_energy(attach, kcl, melt32, tmp_path):
    verdict = run_md(melt32, kcl, attach, protocol("nve", 1.0), tmp_path)
    assert verdict["stable"], verdict["reason"]
    total = read_thermo(tmp_path)["total_energy_eV"]
    potential = read_thermo(tmp_path)["potential_energy_eV"]
    assert total.std() < 0.02 * potential.std()
    drift = np.polyfit(np.linspace(0, 1.0, len(total)), total, 1)[0]
    assert abs(drift) / len(melt32) < 2e-4  # eV/atom/ps


@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
def test_baths_conserve_their_extended_energy(attach, ensemble, kcl, melt32, tmp_path):
    run_md(melt32, kcl, attach, protocol(ensemble, 1.0, pressure_bar=1000.0), tmp_path)
    thermo = read_thermo(tmp_path)
    assert thermo["conserved_energy_eV"].std() < 0.05 * thermo["total_energy_eV"].std()


@pytest.mark.parametrize("engine", REFERENCE)
def test_pressure_behind_fix_external_is_a_volume_derivative(engine, model_folder, kcl, melt32):
    evaluate = evaluator_of(model_folder, melt32.numbers, reference=REFERENCE[engine])
    cell, h = np.array(melt32.cell), 1e-3
    up = evaluate(melt32.positions * (1 + h), cell * (1 + h)).energy_eV
    down = evaluate(melt32.positions * (1 - h), cell * (1 - h)).energy_eV
    expected = -(up - down) / (6 * h) / melt32.cell.volume / BAR_EV_A3
    lmp = open_lammps()
    load_atoms(lmp, melt32, kcl)
    schnet(model_folder, engine)(lmp, list(melt32.symbols), kcl)
    lmp.command("run 0")
    assert lmp.get_thermo("press") == pytest.approx(expected, rel=2e-3, abs=20)
    assert lmp.get_thermo("pe") == pytest.approx(
        evaluate(melt32.positions, cell).energy_eV, abs=1e-6
    )
    forces = gather(lmp, "f", 3)
    assert np.allclose(forces, evaluate(melt32.positions, cell).forces_eV_A, atol=1e-6)
    lmp.close()


def test_npt_reaches_the_pressure_asked_for(kcl, melt32, tmp_path):
    settings = protocol("npt", 8.0, pressure_bar=20_000.0, timestep_fs=2.0, barostat_ps=0.5)
    run_md(melt32, kcl, potential_engine(), settings, tmp_path)
    late = read_thermo(tmp_path).query("time_ps > 3")
    assert late["pressure_bar"].mean() == pytest.approx(20_000, rel=0.1)
    assert late["density_g_cm3"].mean() > 1.6


def test_trajectory_holds_wrapped_and_unwrapped_coordinates(kcl, melt32, tmp_path):
    run_md(melt32, kcl, potential_engine(), protocol("nvt", 2.0), tmp_path)
    run = read_trajectory(tmp_path / TRAJECTORY)
    assert len(run.steps) == 41
    assert np.diff(run.steps).tolist() == [50] * 40
    images = (run.unwrapped_A - run.positions_A) / run.cell_lengths_A[:, None, :]
    assert np.allclose(images, np.round(images), atol=1e-6)
    # unwrapped: no ion jumps; 50 fs at 1200 K is well below 1 A
    assert np.abs(np.diff(run.unwrapped_A, axis=0)).max() < 2.0
    assert list(run.species) == list(melt32.symbols)


def test_final_configuration_continues_the_dynamics(kcl, melt32, tmp_path):
    run_md(melt32, kcl, potential_engine(), protocol("nve", 0.5), tmp_path)
    last = read_thermo(tmp_path).iloc[-1]
    final = ase.io.read(tmp_path / FINAL)
    run_md(final, kcl, potential_engine(), protocol("nve", 0.05), tmp_path / "next")
    first = read_thermo(tmp_path / "next").iloc[0]
    assert first["total_energy_eV"] == pytest.approx(last["total_energy_eV"], abs=1e-3)


def test_a_finished_run_is_not_run_again(kcl, melt32, tmp_path):
    first = run_md(melt32, kcl, potential_engine(), protocol("nvt", 0.2), tmp_path)
    written = (tmp_path / TRAJECTORY).stat().st_mtime_ns
    assert run_md(melt32, kcl, potential_engine(), protocol("nvt", 0.2), tmp_path) == first
    assert (tmp_path / TRAJECTORY).stat().st_mtime_ns == written


def test_ions_that_collapse_end_the_run_with_pair_and_time(kcl, melt32, model_folder, tmp_path):
    attach = schnet(model_folder)
    close = melt32.copy()
    close.positions[1] = close.positions[0] + [1.6, 0, 0]
    verdict = run_md(close, kcl, attach, protocol("nvt", 0.5), tmp_path)
    assert not verdict["stable"]
    assert "K and K 1.60 A apart" in verdict["reason"]
    assert verdict["reached_ps"] == 0.0
    assert (tmp_path / VERDICT).exists()


def test_large_forces_end_the_run(kcl, melt32, model_folder, tmp_path):
    attach = schnet(model_folder, force_eV_A=1e-3)
    verdict = run_md(melt32, kcl, attach, protocol("nvt", 0.5), tmp_path)
    assert "force of" in verdict["reason"]
    assert "above 0.001 eV/A" in verdict["reason"]


def test_a_run_far_from_its_temperature_is_judged(kcl, melt32, tmp_path):
    hot = protocol("nvt", 1.0, temperature_K=(1200.0, 1200.0), thermostat_ps=1e4)
    start = melt32.copy()
    start.set_velocities(1.6 * start.get_velocities())
    hot = Protocol(**(hot.__dict__ | {"limits": {"window_ps": 0.1, "temperature_percent": 10.0}}))
    verdict = run_md(start, kcl, potential_engine(), hot, tmp_path)
    assert "temperature of" in verdict["reason"]
    assert "target 1200 K" in verdict["reason"]


def test_random_insertion_keeps_ions_apart_and_neutral(kcl):
    atoms = random_insertion(kcl, 64, 1.5, np.random.default_rng(0))
    distances = atoms.get_all_distances(mic=True)
    assert distances[np.triu_indices(64, 1)].min() > 0.8 * 2.926
    assert atoms.symbols.formula.count() == {"K": 32, "Cl": 32}
    with pytest.raises(ValueError, match="give a lower density"):
        random_insertion(kcl, 64, 6.0, np.random.default_rng(0))


def test_a_killed_run_goes_on_and_its_files_are_whole(kcl, melt32, tmp_path):
    """SIGKILL a real process after a restart file, go on, and look at what it left."""
    ase.io.write(tmp_path / "start.extxyz", melt32)
    script = f"""
import sys
sys.path[:0] = {[p for p in sys.path if p]!r}
from pathlib import Path
import ase.io
from samples import read_system
from minset.md.engines import potential_engine
from minset.md.run import Protocol, run_md
protocol = Protocol("nvt", (1200.0, 1200.0), 30.0, 1.0, 0.05, 0.01, seed=4, checkpoint_ps=0.5)
run_md(ase.io.read("start.extxyz"), read_system("kcl"), potential_engine(), protocol, Path("run"))
"""
    path = os.pathsep.join([os.path.dirname(os.path.dirname(__file__))])
    options = {
        "cwd": tmp_path,
        "env": os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        "stdout": subprocess.PIPE,
        "text": True,
    }
    killed = subprocess.Popen([sys.executable, "-c", script], **options)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "run").glob("restart.*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "run" / VERDICT).exists()
    resumed = subprocess.run([sys.executable, "-c", script], timeout=300, check=True, **options)
    assert "continuing at" in resumed.stdout
    run = read_trajectory(tmp_path / "run" / TRAJECTORY)
    assert run.steps.tolist() == list(range(0, 30_001, 50))
    assert np.abs(np.diff(run.unwrapped_A, axis=0)).max() < 2.0
    thermo = read_thermo(tmp_path / "run")
    assert np.allclose(thermo["time_ps"], np.arange(3001) * 0.01)
    conserved = thermo["conserved_energy_eV"]
    assert conserved.std() < 0.05 * thermo["total_energy_eV"].std()


def test_a_run_killed_at_its_very_end_is_completed(kcl, melt32, tmp_path):
    run_md(melt32, kcl, potential_engine(), protocol("nvt", 0.5), tmp_path / "whole")
    # what a kill between the last step and the verdict leaves: files and the last restart
    part = tmp_path / "part"
    interrupted = protocol("nvt", 0.5)

    class Killed(BaseException):
        pass

    def attach(lmp, symbols, system):
        alarm = potential_engine()(lmp, symbols, system)
        calls = iter(range(2))

        def dies_at_the_end():
            if next(calls) == 1:
                raise Killed
            return alarm()

        return dies_at_the_end

    with pytest.raises(Killed):
        run_md(melt32, kcl, attach, interrupted, part)
    assert run_md(melt32, kcl, potential_engine(), interrupted, part)["stable"]
    assert read_trajectory(part / TRAJECTORY).steps.tolist() == list(range(0, 501, 50))
    assert len(read_thermo(part)) == 51


def test_dynamics_that_lammps_gives_up_on_end_with_a_verdict(kcl, melt32, tmp_path):
    absurd = protocol(
        "nve", 60.0, timestep_fs=300.0, sample_ps=3.0, thermo_ps=3.0, checkpoint_ps=6.0
    )
    verdict = run_md(melt32, kcl, potential_engine(), absurd, tmp_path)
    assert not verdict["stable"]
    assert "LAMMPS stopped" in verdict["reason"]


@pytest.mark.parametrize(
    ("kick", "complaint"),
    [("1e308*1e308*0", "positions or cell are not finite"), ("1e308*1e308", "LAMMPS stopped")],
)
def test_broken_positions_end_the_run_and_leave_the_last_good_restart(
    kick, complaint, kcl, melt32, model_folder, tmp_path
):
    def attach(lmp, symbols, system):
        alarm = schnet(model_folder)(lmp, symbols, system)
        lmp.command("variable now equal step==620")
        lmp.command(f"variable kick atom (id==3)*v_now*{kick}")
        lmp.command("fix kick all addforce v_kick 0.0 0.0")
        return alarm

    verdict = run_md(melt32, kcl, attach, protocol("nve", 1.0), tmp_path)
    assert not verdict["stable"]
    assert verdict["reason"].startswith("at 0.62 ps: ")
    assert complaint in verdict["reason"]
    lmp = open_lammps()
    lmp.command(f"read_restart {tmp_path / LAST_GOOD}")
    assert lmp.extract_global("ntimestep") == 500
    assert np.isfinite(gather(lmp, "x", 3)).all()
    lmp.close()


def test_an_error_in_a_force_call_is_an_error_of_the_run(
    kcl, melt32, model_folder, tmp_path, monkeypatch
):
    calls, made = iter(range(100)), engines.evaluator_of

    def fails_later(*arguments):
        evaluate = made(*arguments)

        def call(positions, cell):
            if next(calls) == 7:
                raise MemoryError("no memory for neighbours")
            return evaluate(positions, cell)

        return call

    monkeypatch.setattr(engines, "evaluator_of", fails_later)
    with pytest.raises(MemoryError, match="no memory for neighbours"):
        run_md(melt32, kcl, schnet(model_folder), protocol("nve", 0.5), tmp_path)
    assert not (tmp_path / VERDICT).exists()
