"""The contestants of molecular dynamics: schnetpack's tools and minset's engines, set up for a case."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import ase.md
import ase.units
import numpy as np
import torch
from ase import Atoms
from frames import SEED, TEMPERATURE_K
from measure import denormals_flushed, seconds_of
from schnetpack.data.loader import _atoms_collate_fn
from schnetpack.interfaces import SpkCalculator
from schnetpack.md import Simulator, System, UniformInit
from schnetpack.md.calculators import SchNetPackCalculator
from schnetpack.md.integrators import VelocityVerlet
from schnetpack.md.neighborlist_md import NeighborListMD
from schnetpack.md.simulation_hooks import LangevinThermostat, SimulationHook
from schnetpack.transform import MatScipyNeighborList

from minset.md.engines import LIMITS, model_engine
from minset.md.session import gather, load_atoms, open_lammps
from minset.model import evaluator_of

TIMESTEP_FS, THERMOSTAT_FS = 2.0, 100.0
SHELL_A = 2.0  # of spkmd's neighbour list, its default
# the forces of random weights are too weak to keep ions apart: none is too close
TOUCHING_A = dict.fromkeys(("Na-Na", "Na-Cl", "Cl-Cl"), 0.0)


@dataclass(frozen=True)
class Case:
    """What all contestants compute."""

    atoms: Atoms  # with velocities
    folder: Path  # of the model
    cutoff_A: float
    system: dict
    threads: int


@dataclass(frozen=True)
class Contestant:
    """What a contestant offers to be timed."""

    forces: Callable[[np.ndarray], np.ndarray]  # eV/A, of positions in A
    steps: Callable[[int], float]  # wall time of so many steps in s
    first: np.ndarray | None = None  # forces its MD began with, if they come from somewhere else
    close: Callable[[], None] = lambda: None


def schnetpack_ase(case: Case) -> Contestant:
    """schnetpack's calculator in ASE's Langevin dynamics, as its ``AseInterface`` sets it up."""
    calculator = SpkCalculator(
        str(case.folder / "schnetpack.pt"),
        MatScipyNeighborList(cutoff=case.cutoff_A),
        energy_unit="eV",
        dtype=torch.float32,
    )
    atoms = case.atoms.copy()
    atoms.calc = calculator
    dynamics = ase.md.Langevin(
        atoms,
        TIMESTEP_FS * ase.units.fs,
        temperature_K=TEMPERATURE_K,
        friction=1 / (THERMOSTAT_FS * ase.units.fs),
        rng=np.random.default_rng(SEED),
    )
    still = case.atoms.copy()
    still.calc = calculator

    def forces(positions: np.ndarray) -> np.ndarray:
        still.positions = positions
        return still.get_forces()

    def steps(n: int) -> float:
        atoms.get_forces()  # those of the last step: the calculator may have served others since
        return seconds_of(partial(dynamics.run, n))

    return Contestant(forces, steps)


class _Clock(SimulationHook):
    """Times the steps of schnetpack's simulator, without its force call before the first."""

    def on_simulation_start(self, simulator):
        self.began = time.perf_counter()

    def on_simulation_end(self, simulator):
        self.seconds = time.perf_counter() - self.began


def spkmd(case: Case) -> Contestant:
    """What schnetpack's command ``spkmd`` builds, with its defaults, on the CPU and writing nothing.

    Its Langevin thermostat, because its Nose-Hoover chains cost 2 ms a step more.
    """
    torch.manual_seed(SEED)
    system = System()
    system.load_molecules(case.atoms)
    UniformInit(TEMPERATURE_K, remove_rotation=True).initialize_system(system)
    calculator = SchNetPackCalculator(
        str(case.folder / "schnetpack.pt"),
        force_key="forces",
        energy_key="energy",
        energy_unit="eV",
        position_unit="Angstrom",
        neighbor_list=NeighborListMD(
            case.cutoff_A, SHELL_A, MatScipyNeighborList, collate_fn=_atoms_collate_fn
        ),
        required_properties=["energy", "forces"],
    )
    clock = _Clock()
    simulator = Simulator(
        system,
        VelocityVerlet(TIMESTEP_FS),
        calculator,
        # the clock stops last: hooks are called in turn
        simulator_hooks=[LangevinThermostat(TEMPERATURE_K, THERMOSTAT_FS), clock],
        progress=False,
    )
    simulator.to(torch.float32)

    def forces(positions: np.ndarray) -> np.ndarray:
        kept = system.positions
        internal = positions[None] * calculator.position_conversion
        system.positions = torch.as_tensor(internal, dtype=torch.float32)
        calculator.calculate(system)
        system.positions = kept
        return (system.forces[0] / calculator.force_conversion).double().numpy()

    def steps(n: int) -> float:
        simulator.simulate(n)
        return clock.seconds

    return Contestant(forces, steps)


def minset_engine(case: Case, reference: bool) -> Contestant:
    """minset's engine behind LAMMPS, as in its simulations but for the files written."""
    evaluate = evaluator_of(case.folder, case.atoms.numbers, case.threads, reference)
    cell = case.atoms.cell.array
    attach = model_engine(case.folder, LIMITS, TOUCHING_A, case.threads, reference=reference)
    lmp = open_lammps()
    load_atoms(lmp, case.atoms, case.system, velocities=True)
    alarm = attach(lmp, list(case.atoms.symbols), case.system)
    bath = f"{TEMPERATURE_K} {TEMPERATURE_K} {THERMOSTAT_FS / 1000}"
    for command in (
        "neighbor 2.0 bin",
        "neigh_modify delay 0 every 1 check yes",
        f"timestep {TIMESTEP_FS / 1000}",
        f"fix integrate all nvt temp {bath}",
        "run 0 post no",
    ):
        lmp.command(command)

    def steps(n: int) -> float:
        seconds = seconds_of(partial(lmp.command, f"run {n} pre no post no"))
        if alarm() or not gather(lmp, "f", 3).any():
            raise RuntimeError(f"the engine of {case.folder} stopped making forces: {alarm()}")
        return seconds

    return Contestant(
        forces=lambda positions: evaluate(positions, cell).forces_eV_A,
        steps=steps,
        first=gather(lmp, "f", 3),
        close=lmp.close,
    )


def flushed(build: Callable[[Case], Contestant]) -> Callable[[Case], Contestant]:
    """A contestant that flushes denormal numbers, while it works."""

    def built(case: Case) -> Contestant:
        with denormals_flushed():
            contestant = build(case)

        def within(work: Callable, argument):
            with denormals_flushed():
                return work(argument)

        return replace(
            contestant,
            forces=partial(within, contestant.forces),
            steps=partial(within, contestant.steps),
        )

    return built


CONTESTANTS = {
    "schnetpack ASE": schnetpack_ase,
    "spkmd": spkmd,
    "schnetpack ASE, flushed": flushed(schnetpack_ase),
    "spkmd, flushed": flushed(spkmd),
    "minset schnetpack": partial(minset_engine, reference=True),
    "minset compressed": partial(minset_engine, reference=False),
}
