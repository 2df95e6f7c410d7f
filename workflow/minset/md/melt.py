"""Liquid starting configurations from nothing but a composition, a density and a temperature."""

import tempfile
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from minset.md.engines import potential_engine
from minset.md.run import FINAL, Protocol, run_md
from minset.md.session import gather, load_atoms, open_lammps
from minset.potential import contact_A, record_of
from minset.system import composition, composition_in_words, mass_of, name_of
from minset.units import volume_A3


def melt(
    system: dict,
    ions: int,
    density_g_cm3: float,
    temperature_K: float,
    duration_ps: float,
    seed: int,
) -> Atoms:
    """A melt of the potential of a system, equilibrated at constant volume.

    Atoms are inserted at random into a cube, relaxed, and run at the temperature; no crystal is ever
    made, so none has to melt.

    Returns
    -------
    Atoms
        With velocities.
    """
    print(composition_in_words(system, ions))
    rng = np.random.default_rng(seed)
    atoms = _relaxed(random_insertion(system, ions, density_g_cm3, rng), system)
    protocol = Protocol(
        ensemble="nvt",
        temperature_K=(temperature_K, temperature_K),
        duration_ps=duration_ps,
        timestep_fs=1.0,
        sample_ps=duration_ps,
        thermo_ps=min(0.1, duration_ps),
        seed=int(rng.integers(1, 2**31)),
        # relaxing ions gain far more energy than any limit of a running melt would allow
        limits={"energy_eV_atom": 10.0, "temperature_percent": 1000.0},
    )
    with tempfile.TemporaryDirectory() as folder:
        verdict = run_md(atoms, system, potential_engine(), protocol, Path(folder))
        if not verdict["stable"]:
            raise RuntimeError(
                f"the potential did not hold a melt of {name_of(system)} at "
                f"{temperature_K:g} K and {density_g_cm3:g} g/cm^3: {verdict['reason']}; "
                "lower the temperature or check the potential's parameters"
            )
        return ase.io.read(Path(folder) / FINAL, format="extxyz")


def random_insertion(
    system: dict, ions: int, density_g_cm3: float, rng: np.random.Generator
) -> Atoms:
    """Atoms one after the other at random places, no two closer than 0.8 of their contact distance.

    Raises
    ------
    ValueError
        If the density leaves no room.
    """
    symbols = composition(system, ions)
    rng.shuffle(symbols)
    edge = volume_A3(mass_of(system, symbols), density_g_cm3) ** (1 / 3)
    placed = np.empty((0, 3))
    for k, symbol in enumerate(symbols):
        allowed = np.array([0.8 * contact_A(system, symbol, other) for other in symbols[:k]])
        for _ in range(20_000):
            trial = rng.uniform(0, edge, size=(1, 3))
            vectors = placed - trial
            vectors -= edge * np.round(vectors / edge)
            if (np.linalg.norm(vectors, axis=1) >= allowed).all():
                placed = np.vstack([placed, trial])
                break
        else:
            raise ValueError(
                f"no room for {ions} atoms of {name_of(system)} at {density_g_cm3:g} g/cm^3; "
                "give a lower density"
            )
    order = np.argsort([list(system["species"]).index(s) for s in symbols], kind="stable")
    return Atoms([symbols[i] for i in order], positions=placed[order], cell=[edge] * 3, pbc=True)


def _relaxed(atoms: Atoms, system: dict) -> Atoms:
    """Take the worst overlaps out of a random configuration with the potential."""
    lmp = open_lammps()
    load_atoms(lmp, atoms, system)
    alarm = potential_engine()(lmp, list(atoms.symbols), system)
    # others than LAMMPS's own take a hundred times as long, and a melt need not be at rest
    steps, calls = (200, 2000) if record_of(system).commands else (20, 60)
    lmp.command(f"minimize 1e-4 1e-2 {steps} {calls}")
    alarm()
    relaxed = atoms.copy()
    relaxed.positions = gather(lmp, "x", 3)
    lmp.close()
    return relaxed
