"""A multicanonical run of a pool: the bias of enthalpy and order behind LAMMPS's ``fix external``."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np

from minset.crystal import conventional_cell, structures_of
from minset.files import written_aside
from minset.md.cell import box_of
from minset.md.engines import Alarm, Attach, potential_engine
from minset.md.files import FINAL
from minset.md.run import Protocol, run_md
from minset.pool.multicanonical_bias import (
    Bias,
    fresh_bias,
    order,
    repetitions_that_fit,
    saved_bias,
    waves_of,
)
from minset.pool.npt import frames_of, known_of_atoms, require_stable, start_of
from minset.pool.record import NoFrames, Sampled
from minset.potential import record_of
from minset.potential.forces import lasting_evaluator
from minset.units import BAR_EV_A3

COUNTED, DEPOSITED, KEPT = 5, 25, 3  # steps between counts and between deposits; saved biases
# of LAMMPS's own forces: their energy and virial
COMMANDS = (
    "compute unbiased all pe pair kspace",
    "compute unbiased_virial all pressure NULL pair kspace",
    "fix tally all ave/time 1 1 1 c_unbiased",  # or LAMMPS tallies energies when they are printed only
    "fix bias all external pf/callback 1 1",
    "fix_modify bias energy yes virial yes",
)


def run_multicanonical(system: dict, run: dict, folder: Path) -> Sampled:
    """Begin with the crystal and sample while the bias learns.

    Parameters
    ----------
    system
        ``species`` and ``potential``, and ``crystal`` if the system's file has it.
    run
        As of ``minset.pool.multicanonical.plan``.
    folder
        Working folder; a killed run continues from what is there.

    Returns
    -------
    Sampled
        ``frames`` frames with energies, atomic energies and forces of the potential alone.

    Raises
    ------
    NoFrames
        If the run broke, or LAMMPS does not compute the potential itself.
    """
    if record_of(system).commands is None:
        raise NoFrames("multicanonical runs need a potential that LAMMPS computes; take grem")
    folder, bath = Path(folder), run["bath_K"]
    unit, start = conventional_cell(system), start_of(folder, system, run, bath)
    waves = waves_of(structures_of(system)[0], repetitions_that_fit(start.cell[:], unit.cell[:]))
    sample_ps = run["duration_ps"] / run["frames"]
    sampling = Protocol(
        ensemble="npt",
        temperature_K=(bath, bath),
        pressure_bar=run["pressure_bar"],
        duration_ps=run["duration_ps"],
        timestep_fs=run["timestep_fs"],
        sample_ps=sample_ps,
        thermo_ps=sample_ps,
        seed=run["seed"],
        limits={"energy_eV_atom": 2.0},  # the bias is part of it
        extra_columns=known_of_atoms(system),
    )
    settle = replace(
        sampling,
        duration_ps=run["equilibration_ps"],
        sample_ps=run["equilibration_ps"],
        thermo_ps=0.1,
        extra_columns=(),
    )
    require_stable(run_md(start, system, potential_engine(), settle, folder / "settle"))
    settled = ase.io.read(folder / "settle" / FINAL, format="extxyz")
    every = sampling.steps(sampling.checkpoint_ps)
    attach = biased_engine(run, waves, folder / "bias", every)
    require_stable(run_md(settled, system, attach, sampling, folder / "run"))
    frames = frames_of(folder / "run")[1:]
    evaluate = lasting_evaluator(system, frames[0].numbers)
    for frame in frames:
        point = evaluate(frame.positions, frame.cell[:])
        frame.calc.results |= {
            "energy": point.energy_eV,
            "energies": point.atomic_energies_eV,
            "forces": point.forces_eV_A,
        }
    return Sampled(frames)


def biased_engine(
    run: dict, waves: np.ndarray, saved: Path, save_every: int, learns: bool = True
) -> Attach:
    """The potential with a bias, as an engine of ``minset.md.run``.

    Parameters
    ----------
    run
        As of the plan: pressure, and what the bias begins with.
    waves
        See `order`.
    saved
        Folder of the biases of the newest steps that are multiples of ``save_every``, where restart files
        are written too.
    learns
        Whether visits change the bias.
    """

    def attach(lmp, symbols: list[str], system: dict) -> Callable[[], Alarm | None]:
        alarm = potential_engine()(lmp, symbols, system)
        first = int(lmp.extract_global("ntimestep"))
        bias = _bias_at(saved, first) if first else fresh_bias(run)
        for command in COMMANDS:
            lmp.command(command)
        failure: list[Exception] = []
        last = first if first else -1

        def callback(_, step, n_local, tags, x, f):
            nonlocal last
            f[:] = 0.0
            if failure:
                return
            try:
                enthalpy, q = _apply(lmp, bias, waves, run["pressure_bar"], x, f)
                if (
                    step != last and learns
                ):  # the first step of a chunk is the last of the one before
                    _learn(bias, int(step), enthalpy, q)
                    if step % save_every == 0:
                        _save(bias, saved, int(step), save_every)
                last = step
            except Exception as error:  # LAMMPS would print it and go on
                failure.append(error)

        def told() -> Alarm | None:
            if failure:
                raise failure[0]
            return alarm()

        lmp.set_fix_external_callback("bias", callback, lmp)
        return told

    return attach


def _apply(lmp, bias: Bias, waves, pressure_bar: float, x, f) -> tuple[float, float]:
    """Forces, energy and virial of the bias; returns enthalpy in eV and order."""
    cell = box_of(lmp)[1]
    volume = float(np.linalg.det(cell))
    pv = pressure_bar * BAR_EV_A3 * volume
    enthalpy = lmp.extract_compute("unbiased", 0, 0) + pv
    q, gradient = order(x, cell, waves)
    value, by_enthalpy, by_order = bias.at(enthalpy, q)
    f[:] = by_enthalpy * lmp.numpy.extract_atom("f")[: len(x)] - by_order * gradient
    pressures = lmp.extract_compute("unbiased_virial", 0, 1)
    virial = by_enthalpy * volume * BAR_EV_A3 * np.array([pressures[k] for k in range(6)])
    virial[:3] -= by_enthalpy * pv
    lmp.fix_external_set_energy_global("bias", value)
    lmp.fix_external_set_virial_global("bias", virial.tolist())
    return enthalpy, q


def _learn(bias: Bias, step: int, enthalpy_eV: float, q: float) -> None:
    if step % COUNTED == 0:
        bias.count(enthalpy_eV)
    if step % DEPOSITED == 0:
        bias.deposit(enthalpy_eV, q)


def _bias_at(saved: Path, step: int) -> Bias:
    """The bias of the step at which a killed run goes on."""
    try:
        return saved_bias(_file(saved, step))
    except (OSError, ValueError) as error:
        raise RuntimeError(
            f"the bias of step {step} cannot be read ({error}); remove {saved.parent} and run again"
        ) from error


def _file(saved: Path, step: int) -> Path:
    return saved / f"bias-{step}.npz"


def _save(bias: Bias, saved: Path, step: int, every: int) -> None:
    saved.mkdir(parents=True, exist_ok=True)
    with written_aside(_file(saved, step)) as aside:
        bias.save(aside)
    _file(saved, step - KEPT * every).unlink(missing_ok=True)
