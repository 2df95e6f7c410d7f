"""Molecular dynamics in LAMMPS with any force engine: resumable, watched, its speed in the log."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import ase.units
import numpy as np
import pandas as pd
from ase import Atoms

from minset.files import write_csv, write_json, written_aside
from minset.md.cell import box_of, restricted
from minset.md.engines import LIMITS, SPREAD, Alarm, Attach
from minset.md.files import (
    FINAL,
    LAST_GOOD,
    SPREAD_COLUMN,
    THERMO,
    THERMO_COLUMNS,
    TRAJECTORY,
    VERDICT,
    forget_beyond,
    raise_if_disk,
    read_thermo,
)
from minset.md.session import gather, load_atoms, open_lammps, quoted
from minset.system import species_of


@dataclass(frozen=True)
class Protocol:
    """What one MD run does.

    ``temperature_K`` holds the start and the end of a linear ramp (twice the same value for none).
    Nose-Hoover chains of length 3 keep the temperature; the barostat (Martyna-Tobias-Klein) has none.
    """

    ensemble: str  # nve, nvt, npt
    temperature_K: tuple[float, float]
    duration_ps: float
    timestep_fs: float
    sample_ps: float  # between trajectory frames
    thermo_ps: float  # between rows of thermo.csv
    seed: int
    pressure_bar: float = 0.0
    thermostat_ps: float = 0.1
    barostat_ps: float = 1.0
    checkpoint_ps: float = 5.0
    # limits of physical dynamics, see `judge`
    limits: dict = field(default_factory=dict)
    # per-atom columns of the dump beyond coordinates, LAMMPS names
    extra_columns: tuple[str, ...] = ()
    # lambda in K, eta in K/eV and H0 in eV of LAMMPS's `fix grem`, whose forces the dump then holds
    grem: tuple[float, float, float] | None = None

    def steps(self, duration_ps: float) -> int:
        """Number of MD steps in a time, at least one."""
        return max(1, round(duration_ps * 1000 / self.timestep_fs))


def protocol_of(settings: dict, duration_ps: float) -> Protocol:
    """Protocol of a simulation, or of its equilibration, from its settings in the study file."""
    temperature = settings["temperature_K"]
    return Protocol(
        ensemble=settings["ensemble"],
        temperature_K=(temperature, temperature),
        duration_ps=duration_ps,
        timestep_fs=settings["timestep_fs"],
        sample_ps=settings["sample_ps"],
        thermo_ps=min(settings["sample_ps"], 0.02),
        seed=settings["seed"],
        pressure_bar=settings["pressure_bar"],
        limits=settings["limits"],
    )


def run_md(start: Atoms, system: dict, attach: Attach, protocol: Protocol, folder: Path) -> dict:
    """Run, or continue, one MD run to its end or to the point where its dynamics break.

    Parameters
    ----------
    start
        Initial configuration in any cell; its velocities are used if it has any, else drawn at the
        initial temperature from ``protocol.seed``.
    system
        ``species``, and ``potential`` where the engine is that.
    attach
        Force engine, see ``minset.md.engines``.
    protocol
        What to run.
    folder
        Where the run's files are; a folder with restart files is continued. The trajectory is in
        LAMMPS's frame, see ``minset.md.cell``; the final configuration in that of ``start``.

    Returns
    -------
    dict
        The verdict, as in ``verdict.json``: ``stable``, ``reason``, ``reached_ps``, ``ns_per_day``.
    """
    from ase.io.extxyz import write_extxyz

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / VERDICT).exists():
        return json.loads((folder / VERDICT).read_text())
    lmp, first = _open_newest(folder, start, system, protocol)
    if first:
        print(f"continuing at {first * protocol.timestep_fs / 1000:.2f} ps", flush=True)
    forget_beyond(folder, first, protocol.timestep_fs)
    alarm = attach(lmp, list(start.symbols), system)
    _prepare(lmp, system, protocol, folder, fresh=first == 0)
    began = time.monotonic()
    broken, step = _advance(lmp, alarm, protocol, folder, len(start), first)
    if broken:
        # what follows the alarm was run without forces
        forget_beyond(folder, max(broken.step, 1), protocol.timestep_fs)
    verdict = _verdict(broken, step - first, time.monotonic() - began, protocol, folder)
    if broken is None:
        with written_aside(folder / FINAL) as aside:
            write_extxyz(aside, current_atoms(lmp, start))
    lmp.close()
    write_csv(folder / THERMO, read_thermo(folder))
    if broken:
        _keep_last_good(folder, broken.step)
    write_json(folder / VERDICT, verdict)
    for restart in folder.glob("restart.*"):
        restart.unlink()
    end = f"stable over {verdict['reached_ps']:g} ps"
    print(f"broke {verdict['reason']}" if broken else end, flush=True)
    return json.loads((folder / VERDICT).read_text())


def _advance(
    lmp, alarm: Callable, protocol: Protocol, folder: Path, n_atoms: int, first: int
) -> tuple[Alarm | None, int]:
    """Run chunk by chunk to the end or a break, and where that was, and the step that was reached."""
    total, chunk = protocol.steps(protocol.duration_ps), protocol.steps(protocol.checkpoint_ps)
    broken, began, step = None, time.monotonic(), first
    while broken is None:  # also when only the end of a killed run is missing
        goal = min(total, step - step % chunk + chunk)
        try:
            # `upto` and the fixed start and stop keep a temperature ramp one ramp over all chunks
            lmp.command(f"run {goal} upto start 0 stop {total} post no")
        except Exception as error:  # LAMMPS raises plain Exception: lost atoms, NaN coordinates
            raise_if_disk(error, folder)
            stopped_at = int(lmp.extract_global("ntimestep"))
            broken = Alarm(stopped_at, f"LAMMPS stopped: {str(error).strip()}")
        step = goal
        broken = alarm() or broken or _judged(folder, step, protocol, n_atoms)
        _report_speed(step, total, first, began, protocol)
        if step >= total:
            break
    return broken, step


def _verdict(
    broken: Alarm | None, steps: int, seconds: float, protocol: Protocol, folder: Path
) -> dict:
    thermo = read_thermo(folder)
    times, spread = thermo["time_ps"], thermo.get(SPREAD_COLUMN)
    known = spread is not None and len(spread) > 0
    reason = (
        f"at {broken.step * protocol.timestep_fs / 1000:.2f} ps: {broken.reason}" if broken else ""
    )
    return {
        "stable": broken is None,
        "reason": reason,
        "reached_ps": float(times.max()) if len(times) else 0.0,
        "ns_per_day": steps * protocol.timestep_fs * 1e-6 / seconds * 86400,
        "protocol": asdict(protocol) | {"limits": LIMITS | protocol.limits},
    } | ({SPREAD_COLUMN: [float(spread.mean()), float(spread.max())]} if known else {})


def judge(thermo: pd.DataFrame, protocol: Protocol, n_atoms: int, limits: dict) -> str | None:
    """Why the dynamics of a run are not physical, or None while they are.

    The mean over the last ``window_ps`` is compared with the target temperature and, at constant
    temperature, the potential energy per atom with the first window's.
    """
    if not np.isfinite(thermo.to_numpy()).all():
        return "energies, pressure or temperature are not finite"
    rows = max(1, round(limits["window_ps"] / protocol.thermo_ps))
    if len(thermo) < 2 * rows:
        return None
    last, first = thermo.iloc[-rows:], thermo.iloc[:rows]
    expansion = last["volume_A3"].mean() / first["volume_A3"].mean()
    if expansion > limits["expansion"]:
        return f"the liquid boils: its volume has grown {expansion:.1f} times"
    low, high = protocol.temperature_K
    target = low + (high - low) * last["time_ps"].mean() / protocol.duration_ps
    temperature = last["temperature_K"].mean()
    # kinetic temperature of few atoms fluctuates by sqrt(2/3N); five standard deviations are allowed
    allowed = max(limits["temperature_percent"] / 100, 5 * np.sqrt(2 / (3 * n_atoms * rows)))
    if abs(temperature / target - 1) > allowed and protocol.ensemble != "nve":
        return f"temperature of {temperature:.0f} K, target {target:.0f} K"
    drift = (last["potential_energy_eV"].mean() - first["potential_energy_eV"].mean()) / n_atoms
    if low == high and abs(drift) > limits["energy_eV_atom"]:
        return f"potential energy drifted by {drift:+.2f} eV/atom since the start"
    return None


def _judged(folder: Path, step: int, protocol: Protocol, n_atoms: int) -> Alarm | None:
    reason = judge(read_thermo(folder), protocol, n_atoms, LIMITS | protocol.limits)
    return Alarm(step, reason) if reason else None


def _keep_last_good(folder: Path, broken_step: int) -> None:
    """Keep the newest restart file that can be read and is older than the break."""
    steps = {}
    for restart in folder.glob("restart.*"):
        lmp = open_lammps()
        with contextlib.suppress(Exception):  # LAMMPS raises plain Exception
            lmp.command(f"read_restart {quoted(restart)}")
            steps[int(lmp.extract_global("ntimestep"))] = restart
        with contextlib.suppress(Exception):
            lmp.close()
    if good := [step for step in steps if step < broken_step]:
        steps[max(good)].replace(folder / LAST_GOOD)


def _open_newest(folder: Path, start: Atoms, system: dict, protocol: Protocol):
    """LAMMPS at the newest restart file that can be read, or at the start."""
    restarts = sorted(folder.glob("restart.*"), key=lambda p: p.stat().st_mtime, reverse=True)
    for restart in restarts:
        lmp = open_lammps(folder / "log.lammps")
        try:
            lmp.command(f"read_restart {quoted(restart)}")
            return lmp, int(lmp.extract_global("ntimestep"))
        except Exception as error:  # LAMMPS raises plain Exception
            print(f"{restart.name} cannot be read ({str(error).strip()}); trying an older one")
            with contextlib.suppress(Exception):
                lmp.close()
    lmp = open_lammps(folder / "log.lammps")
    has_velocities = bool(np.any(start.get_velocities()))
    load_atoms(lmp, start, system, velocities=has_velocities)
    if not has_velocities:
        temperature = protocol.temperature_K[0]
        lmp.command(f"velocity all create {temperature} {protocol.seed} mom yes dist gaussian")
    return lmp, 0


def _prepare(lmp, system: dict, protocol: Protocol, folder: Path, fresh: bool) -> None:
    """Neighbour settings, thermostat and output of a run."""
    low, high = protocol.temperature_K
    lmp.command("neighbor 2.0 bin")
    lmp.command("neigh_modify delay 0 every 1 check yes")
    lmp.command(f"timestep {protocol.timestep_fs / 1000}")
    bath = f"temp {low} {high} {protocol.thermostat_ps}"
    if protocol.ensemble == "npt":
        pressure = protocol.pressure_bar
        # with LAMMPS's default chain on the barostat the conserved energy drifts by some
        # meV/atom/ps in small cells; without one it is conserved and the mean volume is the same
        bath += f" iso {pressure} {pressure} {protocol.barostat_ps} pchain 0"
    lmp.command(
        f"fix integrate all {protocol.ensemble} {bath if protocol.ensemble != 'nve' else ''}"
    )
    keywords = [k if k != "time" else "step" for k in THERMO_COLUMNS.values()]
    lmp.command("thermo_style custom " + " ".join(keywords))
    if protocol.grem:
        lmp.command("fix grem all grem {:.17g} {:.17g} {:.17g} integrate".format(*protocol.grem))
        lmp.command("thermo_modify press grem_press")
    every = protocol.steps(protocol.thermo_ps)
    lmp.command(f"thermo {every}")
    # LAMMPS's own `time` starts again at a restart; the step does not
    time_ps = f"step*{protocol.timestep_fs / 1000:.17g}"
    values = {n: time_ps if k == "time" else k for n, k in THERMO_COLUMNS.items()}
    if lmp.has_id("variable", SPREAD):
        values[SPREAD_COLUMN] = f"v_{SPREAD}"
    row = ",".join(f"$({v}:%.12g)" for v in values.values())
    header = f'title "{",".join(values)}"' if fresh else 'title ""'
    target = f"{'file' if fresh else 'append'} {quoted(folder / THERMO)}"
    lmp.command(f'fix thermo all print {every} "{row}" {target} screen no {header}')
    if "c_atomic_energy" in protocol.extra_columns:
        lmp.command("compute atomic_energy all pe/atom")
    columns = " ".join(("id element q x y z xu yu zu", *protocol.extra_columns))
    every = protocol.steps(protocol.sample_ps)
    lmp.command(f"dump trajectory all custom {every} {quoted(folder / TRAJECTORY)} {columns}")
    elements = " ".join(species_of(system))
    lmp.command(
        f"dump_modify trajectory sort id element {elements} format float %.15g "
        f"append {'no' if fresh else 'yes'} flush yes"
    )
    every = protocol.steps(protocol.checkpoint_ps)
    two = " ".join(quoted(folder / name) for name in ("restart.a", "restart.b"))
    lmp.command(f"restart {every} {two}")


def current_atoms(lmp, start: Atoms) -> Atoms:
    """Positions, velocities and cell of LAMMPS as Atoms in order and frame of ``start``."""
    low, cell = box_of(lmp)
    box = restricted(start.cell[:])
    atoms = Atoms(
        start.symbols,
        positions=box.from_lammps(gather(lmp, "x", 3) - low),
        cell=box.cell_from_lammps(cell),
        pbc=True,
    )
    atoms.set_velocities(box.from_lammps(gather(lmp, "v", 3)) / (1000 * ase.units.fs))
    atoms.wrap()
    return atoms


def _report_speed(step: int, total: int, first: int, began: float, protocol: Protocol) -> None:
    seconds = max(time.monotonic() - began, 1e-9)
    done = max(step - first, 1)
    print(
        f"{step * protocol.timestep_fs / 1000:9.2f} of {protocol.duration_ps:g} ps   "
        f"{done * protocol.timestep_fs * 1e-6 * 86400 / seconds:8.2f} ns/day   "
        f"{(total - step) * seconds / done:6.0f} s left",
        flush=True,
    )
