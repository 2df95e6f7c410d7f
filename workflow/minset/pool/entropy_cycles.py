"""One run of generator ``entropy``: annealing cycles, each from a random start of its own."""

from pathlib import Path

import numpy as np
from ase import Atoms

from minset.descriptor.bispectrum import weights_of
from minset.descriptor.bispectrum_tables import tables_of
from minset.pool import entropy_kernels as kernels
from minset.pool.entropy import contacts_of, cutoff_of, edges_of
from minset.pool.record import NoFrames, Sampled
from minset.system import composition, mass_of, species_of
from minset.units import volume_A3

CYCLES = "cycles.f64"
SCALE_CYCLES = 32  # unbiased configurations that say how much each component varies
PUSHES, PUSH_A = 300, 0.1


def run_cycles(system: dict, run: dict, folder: Path) -> Sampled:
    """Anneal one configuration after the other; a killed run goes on after the last whole one.

    Every cycle has random numbers of its own, from the run's seed and its number, and starts at random
    places. So no frame depends on how often a run was killed, or on the cycles before it.

    Parameters
    ----------
    system
        ``species`` and what it is made of.
    run
        As of ``minset.pool.entropy.plan``.
    folder
        Working folder.

    Returns
    -------
    Sampled
        Frames without energies, whose ``info`` has ``K_eV`` and ``entropy``, S in nats; and how many were
        refused.

    Raises
    ------
    NoFrames
        If all were.
    """
    symbols = composition(system, run["ions"])
    energy = _energy(system, run, symbols)
    energy = energy._replace(scale=_scale(run, energy))
    row = np.dtype([("x", "f8", (len(symbols), 3)), ("entropy", "f8"), ("closest", "f8")])
    path = Path(folder) / CYCLES
    done = path.stat().st_size // row.itemsize if path.exists() else 0
    with open(path, "ab") as file:
        file.truncate(done * row.itemsize)
        for cycle in range(done, run["frames"]):
            found = np.array(configuration(run, energy, cycle, run["K_eV"]), row)
            file.write(found.tobytes())
            file.flush()
    rows = np.fromfile(path, row)[: run["frames"]]
    kept = rows["closest"] >= run["closest_share"]  # NaN is not
    frames = [_frame(symbols, energy, one, run) for one in rows[kept]]
    refused = np.count_nonzero(~kept)
    note = (
        f"{refused} of {len(rows)} frames refused: atoms closer than {run['closest_share']:g} of the "
        f"distance where they repel each other, at K = {run['K_eV']:g} eV"
    )
    if not frames:
        raise NoFrames(note)
    print(
        f"entropy S {rows['entropy'][kept].mean():.2f} nats on average (standard deviation "
        f"{rows['entropy'][kept].std():.2f}), shortest distance "
        f"{np.quantile(rows['closest'][kept], 0.05):.2f} (5 %), "
        f"{np.median(rows['closest'][kept]):.2f} (median) of r0"
    )
    return Sampled(frames, note if refused else "")


def _energy(system: dict, run: dict, symbols: list[str]) -> kernels.Energy:
    """What the effective energy depends on, with components as they are."""
    species = species_of(system)
    contacts = contacts_of(run, species)
    table = np.empty((len(species), len(species)))
    for name, contact in contacts.items():
        a, b = map(species.index, name.split("-"))
        table[a, b] = table[b, a] = contact
    volume = volume_A3(mass_of(system, symbols), run["density_g_cm3"])
    return kernels.Energy(
        edges=np.array(edges_of(run, volume)),
        species=np.array([species.index(s) for s in symbols]),
        contacts=table,
        strength=float(run["repulsion_eV"]),
        weights=weights_of(symbols, run["weights"]),
        cutoff=float(cutoff_of(run, contacts)),
        scale=np.ones(run["components"]),
        epsilon=float(run["epsilon"]),
        tables=tables_of(run["twojmax"], run["components"]),
    )


def _scale(run: dict, energy: kernels.Energy) -> np.ndarray:
    """What components are divided by, shape (components,): for all runs of a density alike."""
    if run["scale"] == "none":
        return energy.scale
    components = []
    unbiased = run | {"seed": 1}
    for cycle in range(SCALE_CYCLES):
        x, *_ = configuration(unbiased, energy, cycle, 0.0)
        components.append(described(x, energy))
    return np.concatenate(components).std(axis=0)


def described(x: np.ndarray, energy: kernels.Energy) -> np.ndarray:
    """Components of the atoms of a configuration, not scaled, shape (n, components)."""
    work = kernels.work_for(len(x), energy.tables)
    kernels.energy_and_forces(x, 0.0, energy, work, np.empty_like(x))
    return work.q


def configuration(
    run: dict, energy: kernels.Energy, cycle: int, K: float
) -> tuple[np.ndarray, float, float]:
    """One cycle: random places, unbiased dynamics and, unless K is zero, the ramp.

    Returns
    -------
    positions, entropy, closest
        In A, shape (n, 3); S in nats; the smallest distance of two atoms over their r0. NaN where the
        dynamics broke.
    """
    rng = np.random.default_rng([run["seed"], cycle])
    n, tables = len(energy.species), energy.tables
    work, forces = kernels.work_for(n, tables), np.empty((n, 3))
    x, v = rng.random((n, 3)) * energy.edges, np.zeros((n, 3))
    kernels.push_apart(x, PUSHES, PUSH_A, energy, work, forces)
    hot = float(run["shuffle_K"])

    def anneal(temperature, K, duration_ps):
        kernels.anneal(
            x,
            v,
            np.array(temperature),
            np.array(K),
            max(1, round(duration_ps * 1000 / run["timestep_fs"])),
            run["timestep_fs"] / 1000,
            float(run["friction_inverse_ps"]),
            float(run["mass_u"]),
            rng,
            energy,
            work,
            forces,
        )

    anneal([hot, hot], [0.0, 0.0], run["shuffle_ps"])
    if K:
        anneal([hot, 0.0], [0.0, float(K)], run["ramp_ps"])
    if not np.isfinite(x).all():
        return np.full((n, 3), np.nan), np.nan, np.nan
    x %= energy.edges
    _, S, closest = kernels.energy_and_forces(x, 0.0, energy, work, forces)
    return x, S, min(closest, 1.0)


def _frame(symbols: list[str], energy: kernels.Energy, row, run: dict) -> Atoms:
    frame = Atoms(symbols, positions=row["x"], cell=energy.edges, pbc=True)
    frame.info |= {"K_eV": float(run["K_eV"]), "entropy": float(row["entropy"])}
    return frame
