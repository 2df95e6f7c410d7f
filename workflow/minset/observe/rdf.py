"""Partial radial distribution functions, with MDAnalysis."""

from collections.abc import Iterator
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pandas as pd

from minset.md.trajectory import Trajectory, ordered_species, read_trajectory, to_universe
from minset.names import is_model
from minset.observe.rdf_peaks import rdf_peaks
from minset.observe.record import Observable, Table, without_rows

CLOSEST_G = 0.01
BLOCKS = 5


def observe_rdf(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Tables ``rdf`` and ``rdf_peaks`` of a simulation, see `Observable`.

    A run that broke has the RDF of its frames up to the break and no peaks.
    """
    stable = source["verdict"]["stable"]
    rdfs = run_rdfs(source["trajectory"], stable, settings["range_A"], settings["bins"])
    if not stable:
        return {"rdf": rdfs} | without_rows(["rdf_peaks"], "the simulation broke")
    return {"rdf": rdfs, "rdf_peaks": rdf_peaks(rdfs)}


def rdf_mistakes(settings: dict, simulation: dict, edge_A: float | None) -> list[str]:
    """A cell too small for the range."""
    if edge_A is None or settings["range_A"] <= edge_A / 2:
        return []
    return [
        f"ions: {simulation['ions']} ions make a cell of {edge_A:.2f} A, and rdf.range_A of "
        f"{settings['range_A']:g} A is more than half of it; use more ions or a range of "
        f"at most {edge_A / 2:.2f} A"
    ]


def partial_rdfs(
    trajectory: Trajectory, range_A: float, bins: int, blocks: int, max_frames: int = 2000
) -> pd.DataFrame:
    r"""Partial radial distribution functions g_ab(r) of all pairs of species.

    .. math:: g_{ab}(r) = \frac{V}{N_a N_b 4 \pi r^2} \Big\langle \sum_{i \in a}
              \sum_{j \in b, j \neq i} \delta(r - r_{ij}) \Big\rangle

    with N_a (N_a - 1) instead of N_a N_b for like pairs, so that an ideal gas gives 1 at any size.

    Parameters
    ----------
    trajectory
        See `Trajectory`.
    range_A
        Largest distance in A, at most half the smallest height of the cell.
    bins
        Number of bins between 0 and `range_A`.
    blocks
        Number of consecutive parts (>= 2) whose spread gives the standard error.
    max_frames
        Longer trajectories are thinned evenly to at most this many frames, which bounds the cost.

    Returns
    -------
    pd.DataFrame
        ``pair`` (``K-Cl``, cations first), ``r_A`` (bin centre), ``g``, ``g_stderr`` and
        ``coordination_number``: ions of the second species around one of the first, up to the
        bin's end.

    Raises
    ------
    ValueError
        If the range exceeds half the cell, or there are fewer frames than blocks.
    """
    n_frames = len(trajectory.steps)
    if not 2 <= blocks <= n_frames:
        raise ValueError(
            f"RDF with {blocks} blocks from {n_frames} frames: needs at least 2 blocks and one "
            "frame in each"
        )
    thinned = np.arange(0, n_frames, -(-n_frames // max(max_frames, blocks)))
    tables = []
    of_parts = rdfs_of_parts(trajectory, np.array_split(thinned, blocks), range_A, bins)
    for pair, r, g, neighbours in of_parts:
        tables.append(
            pd.DataFrame(
                {
                    "pair": pair,
                    "r_A": r,
                    "g": np.mean(g, axis=0),
                    "g_stderr": np.std(g, axis=0, ddof=1) / np.sqrt(blocks),
                    "coordination_number": np.mean(neighbours, axis=0),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def rdfs_of_parts(
    trajectory: Trajectory, parts: list[np.ndarray], range_A: float, bins: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Partial radial distribution functions of parts of a trajectory.

    Parameters
    ----------
    trajectory, range_A, bins
        As in `partial_rdfs`.
    parts
        Numbers of the frames of each.

    Yields
    ------
    pair, r_A, g, coordination_number
        Of each pair of species: its name, centres of the bins (bins,), and g and the coordination number
        of each part, (parts, bins).

    Raises
    ------
    ValueError
        If the range exceeds half the cell.
    """
    from MDAnalysis.analysis.rdf import InterRDF

    half = float(trajectory.widths_A.min()) / 2
    if not 0 < range_A <= half:
        raise ValueError(
            f"RDF range {range_A} A is not between 0 and half the smallest height of the cell, "
            f"{half:.4f} A; shorten the range or simulate a larger cell"
        )
    universe = to_universe(trajectory, dt_ps=1.0)
    for first, second in combinations_with_replacement(ordered_species(trajectory), 2):
        group_a, group_b = (universe.select_atoms(f"type {symbol}") for symbol in (first, second))
        # Pairs of an ion with itself are left out of the counts and of the norm.
        exclusion = (1, 1) if first == second else None
        g, neighbours = [], []
        for part in parts:
            rdf = InterRDF(
                group_a, group_b, nbins=bins, range=(0.0, range_A), exclusion_block=exclusion
            ).run(frames=part)
            g.append(rdf.results.rdf)
            neighbours.append(np.cumsum(rdf.results.count) / (len(part) * len(group_a)))
        yield f"{first}-{second}", rdf.results.bins, np.array(g), np.array(neighbours)


def run_rdfs(path: str | Path, stable: bool, range_A: float, bins: int) -> pd.DataFrame:
    """RDFs of one MD run, of a broken one from its frames up to the break.

    Models that break a simulation often show it in the RDF first: ions closer than they can be.

    Parameters
    ----------
    path
        LAMMPS dump.
    stable
        The verdict on the run.
    range_A, bins
        As for `partial_rdfs`.

    Returns
    -------
    pd.DataFrame
        Table of `partial_rdfs` from five blocks, with ``stable`` and the number of ``frames`` of the
        trajectory. No rows for a broken run with fewer readable frames than blocks.
    """
    try:
        trajectory = read_trajectory(path)
    except ValueError as error:
        if stable:
            raise
        return without_rows(["rdf"], f"the simulation broke, {error}")["rdf"]
    frames = len(trajectory.steps)
    if not stable and frames < BLOCKS:
        reason = f"the simulation broke after {frames} frames, needs {BLOCKS}"
        return without_rows(["rdf"], reason)["rdf"]
    rdfs = partial_rdfs(trajectory, range_A, bins, blocks=BLOCKS)
    return rdfs.assign(stable=stable, frames=frames)


def rdf_difference(rdfs: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    r"""How far RDFs are from those of a reference potential.

    .. math:: d = \frac{1}{R} \int_0^R |g(r) - g_{ref}(r)| \, dr, \qquad
              d_0 = \frac{1}{R} \int_0^R \sqrt{2 / \pi} \, \sqrt{s^2 + s_{ref}^2} \, dr

    with the range R and the standard errors s. Two runs of one potential differ by the noise floor
    d_0 on average (mean of \|x\| of a normal distribution), so only d well above d_0 is a difference.

    Parameters
    ----------
    rdfs, reference
        Tables of `partial_rdfs` with the same pairs and bins.

    Returns
    -------
    pd.DataFrame
        Per pair ``difference`` (d), ``noise_floor`` (d_0); position and height of the first peak
        less the reference's, ``peak_difference_A`` and ``peak_difference_g``; and the smallest bin
        centre with g > 0.01, ``closest_A`` and ``reference_closest_A``. A ``closest_A`` far
        below the reference's means that ions came unphysically close.

    Raises
    ------
    ValueError
        If pairs or bins differ.
    """
    same = len(rdfs) == len(reference) and (
        rdfs["pair"].tolist() == reference["pair"].tolist()
        and np.allclose(rdfs["r_A"], reference["r_A"])
    )
    if not same:
        raise ValueError("two RDFs with different pairs or bins have no difference")
    peaks, reference_peaks = (rdf_peaks(t).set_index("pair") for t in (rdfs, reference))
    reference_of = dict(list(reference.groupby("pair", sort=False)))
    rows = []
    for pair, rdf in rdfs.groupby("pair", sort=False):
        other = reference_of[pair]
        errors = np.hypot(rdf["g_stderr"].to_numpy(), other["g_stderr"].to_numpy())
        rows.append(
            {
                "pair": pair,
                "difference": np.abs(rdf["g"].to_numpy() - other["g"].to_numpy()).mean(),
                "noise_floor": np.sqrt(2 / np.pi) * errors.mean(),
                "peak_difference_A": peaks.at[pair, "peak_r_A"]
                - reference_peaks.at[pair, "peak_r_A"],
                "peak_difference_g": peaks.at[pair, "peak_g"] - reference_peaks.at[pair, "peak_g"],
                "closest_A": rdf.loc[rdf["g"] > CLOSEST_G, "r_A"].min(),
                "reference_closest_A": other.loc[other["g"] > CLOSEST_G, "r_A"].min(),
            }
        )
    return pd.DataFrame(rows)


def rdf_differences(paths: list[str], rows: list[dict]) -> pd.DataFrame:
    """Differences between the RDFs of models and classical potentials in the same simulation.

    Parameters
    ----------
    paths, rows
        CSV files of `run_rdfs`, and what identifies each run: ``simulation``, ``engine``.

    Returns
    -------
    pd.DataFrame
        Per simulation, engine, reference and pair: ``stable``, the number of ``frames``, and the
        columns of `rdf_difference`. A model that broke counts with its
        frames up to the break; a run without an RDF has no rows.
    """
    runs = [(row, pd.read_csv(path)) for path, row in zip(paths, rows, strict=True)]
    runs = [(row, table) for row, table in runs if len(table)]
    tables = [pd.DataFrame(columns=["simulation", "engine", "reference"])]
    for row, table in runs:
        for other, reference in runs:
            same = row["simulation"] == other["simulation"]
            if not same or not is_model(row["engine"]) or is_model(other["engine"]):
                continue
            difference = rdf_difference(table, reference)
            about = row | {"reference": other["engine"]}
            about |= {column: table[column].iloc[0] for column in ("stable", "frames")}
            for position, (key, value) in enumerate(about.items()):
                difference.insert(position, key, value)
            tables.append(difference)
    return pd.concat(tables[1:] or tables, ignore_index=True)


RECORD = Observable(
    of="trajectory",
    tables={"rdf": Table(), "rdf_peaks": Table("rdf_peaks", "MDAnalysis")},
    observe=observe_rdf,
    caption="First peak, first minimum and coordination number of the partial radial distribution "
    "functions of each simulation and engine.",
    options={
        "range_A": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 8.0,
            "description": "Largest distance, at most half the height of the cell",
        },
        "bins": {
            "type": "integer",
            "minimum": 10,
            "maximum": 100000,
            "default": 160,
            "description": "Bins between 0 and range_A",
        },
    },
    ensembles=("nvt", "nve"),
    mistakes=rdf_mistakes,
)
