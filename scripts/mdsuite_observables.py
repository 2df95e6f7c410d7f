"""Partial RDFs, self-diffusion and ionic conductivity of a trajectory with MDSuite 0.2.0.

Runs in MDSuite's own environment (envs/mdsuite.lock) and imports nothing of minset. Its tables
have the columns of minset.observe, and ``source`` = mdsuite. MDSuite computes the pair histograms
and the mean squared displacements; `_mend_mdsuite` says what of it had to be replaced. Nothing in
it is random.
"""

import argparse
import contextlib
import inspect
import io
import itertools
import json
import logging
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

# Before the imports that read it: no GPU, no messages, caches that go away with the process.
CACHE = tempfile.TemporaryDirectory(prefix="mdsuite-cache-")
os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
os.environ |= {"MPLCONFIGDIR": CACHE.name, "KERAS_HOME": CACHE.name}
logging.disable(logging.WARNING)

import mdsuite
import numpy as np
import pandas as pd
import tensorflow as tf
from mdsuite.calculators import (
    einstein_diffusion_coefficients,
    einstein_helfand_ionic_conductivity,
    radial_distribution_function,
)
from mdsuite.file_io.lammps_trajectory_files import LAMMPSTrajectoryFile
from mdsuite.memory_management import memory_manager
from scipy.stats import t as student_t

COLUMNS = ("id", "element", "q", "x", "y", "z", "xu", "yu", "zu")
HEADER_LINES = 9
LAGS = 40
ORIGINS = 400
RDF_FRAMES_PER_BLOCK = 125
PAIRS_PER_BATCH = 5_000_000


def main(
    trajectory: str | Path,
    out_rdf: str | Path,
    out_diffusion: str | Path,
    out_conductivity: str | Path,
    time_step_ps: float,
    temperature_K: float,
    rdf_range_A: float,
    rdf_bins: int,
    verdict: str | Path | None = None,
    start_ps: float = 2.0,
    blocks: int = 4,
    max_frames: int = 2000,
    threads: int = 1,
) -> None:
    """Write the three tables of one trajectory.

    Parameters
    ----------
    trajectory
        LAMMPS text dump with the columns ``id element q x y z xu yu zu``, sorted by id, constant
        orthogonal cell, no drift. An incomplete last frame is dropped. Of a tilted cell the tables
        have no rows, of atoms without charges that of the conductivity has none; a line says so.
    out_rdf, out_diffusion, out_conductivity
        CSV files to write.
    time_step_ps, temperature_K
        Of the MD.
    rdf_range_A, rdf_bins
        Largest distance in A, at most half the shortest edge, and number of bins.
    verdict
        JSON file of the simulation; a run that is not ``stable`` gives tables without rows.
    start_ps
        Lag in ps from which the motion is diffusive.
    blocks
        Consecutive parts whose spread gives the standard errors.
    max_frames
        Longer trajectories are thinned evenly to at most about this many frames.
    threads
        Of TensorFlow.

    Raises
    ------
    ValueError
        If the dump, the RDF range or the length of the trajectory does not suit.
    """
    outputs = [Path(path) for path in (out_rdf, out_diffusion, out_conductivity)]
    reason = ""
    if verdict and not json.loads(Path(verdict).read_text())["stable"]:
        reason = "the simulation broke"
    elif _is_tilted(Path(trajectory)):
        reason = "the cell is tilted, and MDSuite needs right angles"
    if reason:
        print(f"no observables of MDSuite: {reason}")
        for path in outputs:
            _write(pd.DataFrame(columns=["note"]), path)
        return
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.autograph.set_verbosity(0)
    _mend_mdsuite()

    dump = _scan(Path(trajectory))
    half_edge = dump.edges_A.min() / 2
    if not 0 < rdf_range_A <= half_edge:
        raise ValueError(
            f"RDF range {rdf_range_A} A is not between 0 and half the shortest edge, {half_edge:.4f} A"
        )
    stride = max(1, len(dump.offsets) // max_frames)
    offsets = dump.offsets[::stride]
    lags = _lags(len(offsets), stride * dump.interval * time_step_ps, start_ps)
    parts = np.array_split(np.arange(len(offsets)), blocks)
    if blocks < 2 or len(parts[-1]) <= lags[-1] + 1:
        raise ValueError(
            f"{blocks} blocks of {len(parts[-1])} frames: needs at least 2, each longer than the "
            f"longest lag, {lags[-1]} frames"
        )
    with (
        tempfile.TemporaryDirectory(prefix="mdsuite-") as scratch,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        project = mdsuite.Project(name="project", storage_path=scratch)
        settings = {"timestep": time_step_ps, "temperature": temperature_K, "units": "metal"}
        transport = []
        for number, part in enumerate([np.arange(len(offsets)), *parts]):
            copy = Path(scratch) / f"{number}.lammpstrj"
            with Path(trajectory).open("rb") as source, copy.open("wb") as target:
                for frame in part:
                    source.seek(offsets[frame])
                    target.writelines(itertools.islice(source, HEADER_LINES + dump.n_ions))
            experiment = project.add_experiment(name=f"part{number}", **settings)
            reader = LAMMPSTrajectoryFile(copy, trajectory_is_sorted_by_ids=True)
            # Its default asks PubChem over the network for the masses.
            experiment.add_data(reader, update_with_pubchempy=False)
            for symbol, charge in dump.charges.items():
                experiment.set_charge(symbol, float(charge))
            transport.append(_transport(experiment, lags, any(dump.charges.values())))
            if number == 0:
                rdf = _rdf_table(experiment, dump, parts, rdf_range_A, rdf_bins)
    # (value, free) of the whole trajectory, then of its parts
    estimates = {name: [part[name] for part in transport] for name in transport[0]}
    diffusion = [
        {"species": symbol} | _estimate(estimates[symbol], "diffusion", "1e-9_m2_s")
        for symbol in dump.charges
    ]
    if "System" in estimates:
        conductivity = [_estimate(estimates["System"], "conductivity", "S_cm")]
    else:
        print("no conductivity of MDSuite: the atoms have no charges")
        conductivity = []
    for table, path in zip((rdf, diffusion, conductivity), outputs, strict=True):
        _write(_without_empty_notes(pd.DataFrame(table)), path)


def _mend_mdsuite() -> None:
    """Replace what is broken in MDSuite 0.2.0; every patch of it stands here."""
    # It sizes its batches by the free memory of the machine, and averages a last batch that is
    # not full with the wrong weight. Our frames are few enough for one batch.
    memory_manager.get_machine_properties = lambda: {"memory": 2.0**40, "cpu": 1, "gpu": {}}
    # It fits from the lag where a spline's second derivative is least; noise decides which, and
    # near the last lag it raises an IndexError. Our lags begin where the motion is diffusive.
    for module in (einstein_diffusion_coefficients, einstein_helfand_ionic_conductivity):
        module.fit_einstein_curve = lambda x_data, y_data, fit_max_index: (
            *np.polyfit(x_data, y_data, 1, cov=True),
            [],
            [],
        )
    # Its histogram calls tf.concat on scalars, which TensorFlow 2.12 refuses, and leaves out the
    # first ion of each species.
    calculator = radial_distribution_function.RadialDistributionFunction
    calculator.compute_species_values = _pair_histograms


def _pair_histograms(self, indices: tf.Tensor, start_batch: tf.Tensor, d_ij: tf.Tensor) -> dict:
    """Histogram of distances per pair of species; arguments as in the method it replaces."""
    counts = self.particles_list
    begins = np.cumsum([0, *counts]).astype(np.int32)
    histograms = {}
    for a, b in itertools.combinations_with_replacement(self.index_list, 2):
        start = tf.stack([begins[a] - tf.cast(start_batch, tf.int32), begins[b]])
        histograms[self._get_species_names((a, b))] = self.bin_minibatch(
            # The binning takes indices strictly above its start.
            start - 1,
            start + tf.constant([counts[a], counts[b]], dtype=tf.int32),
            tf.transpose(indices),
            d_ij,
            tf.cast(self.bin_range, dtype=self.dtype),
            tf.cast(self.args.number_of_bins, dtype=tf.int32),
            tf.cast(self.args.cutoff, dtype=self.dtype),
        )
    return histograms


def _is_tilted(path: Path) -> bool:
    """Whether the cell of a dump has other than right angles."""
    with path.open("rb") as file:
        return any(b" xy " in line for line in itertools.islice(file, 4, 5))


def _scan(path: Path) -> SimpleNamespace:
    """Offsets of the complete frames of a dump, their interval, the cell and the ions.

    Charges are a dictionary by species, cations first, as in the tables of minset.observe.
    """
    offsets, steps, cells, offset = [], [], set(), 0
    with path.open("rb") as file:
        while len(header := list(itertools.islice(file, HEADER_LINES))) == HEADER_LINES:
            rows = list(itertools.islice(file, int(header[3])))
            if len(rows) < int(header[3]) or not rows[-1].endswith(b"\n"):
                break
            if not offsets:
                columns, ions = header[8].decode().split()[2:], [row.split() for row in rows]
            offsets.append(offset)
            steps.append(int(header[1]))
            cells.add(b"".join(header[5:8]))
            offset = file.tell()
    if len(offsets) < 2:
        raise ValueError(f"{path}: {len(offsets)} complete frames; needs a trajectory")
    if missing := [column for column in COLUMNS if column not in columns]:
        raise ValueError(f"{path}: columns {' '.join(missing)} missing")
    if len(cells) > 1 or len(set(np.diff(steps))) > 1:
        raise ValueError(
            f"{path}: the cell or the interval of the frames changes; MDSuite needs a run at NVT"
        )
    symbols = [ion[columns.index("element")].decode() for ion in ions]
    charge = dict(zip(symbols, [float(ion[columns.index("q")]) for ion in ions], strict=True))
    bounds = np.array(cells.pop().decode().split(), dtype=float).reshape(3, 2)
    return SimpleNamespace(
        offsets=offsets,
        interval=steps[1] - steps[0],
        n_ions=len(ions),
        edges_A=bounds[:, 1] - bounds[:, 0],
        charges={s: charge[s] for s in sorted(charge, key=lambda s: (-charge[s], s))},
        numbers={s: symbols.count(s) for s in charge},
    )


def _lags(n_frames: int, frame_ps: float, start_ps: float) -> list[int]:
    """Lags in frames from `start_ps` to 5 times that; longer ones only add noise to the fit.

    A trajectory shorter than 50 times `start_ps` gives a tenth of its length, but at least 2
    times `start_ps`.
    """
    length_ps = (n_frames - 1) * frame_ps
    if not 0 < start_ps <= length_ps / 10 * (1 + 1e-9):
        raise ValueError(
            f"trajectory of {length_ps:g} ps: start_ps = {start_ps:g} needs {10 * start_ps:g} ps"
        )
    first = int(np.ceil(start_ps / frame_ps - 1e-9))
    last = round(np.clip(length_ps / 10, 2 * start_ps, 5 * start_ps) / frame_ps)
    lags = np.unique(np.linspace(first, last, LAGS).round().astype(int))
    if len(lags) < 4:
        raise ValueError(
            f"fewer than 4 lags from {start_ps:g} to {last * frame_ps:g} ps: dump more often"
        )
    return lags.tolist()


def _transport(
    experiment: "mdsuite.Experiment", lags: list[int], charged: bool
) -> dict[str, tuple[float, float]]:
    """Self-diffusion by species (1e-9 m^2/s), and of ions the conductivity as ``System`` (S/cm).

    Each with what it would be if the displacements at the longest lag were those of a free walker.
    """
    settings = {
        "plot": False,
        "tau_values": lags,
        "correlation_time": max(1, (experiment.number_of_configurations - lags[-1]) // ORIGINS),
    }
    # MDSuite gives m^2/s and S/m.
    data = experiment.run.EinsteinDiffusionCoefficients(**settings).data_dict
    kinds = [("diffusion_coefficient", 1e9, 1, data)]
    if charged:
        data = experiment.run.EinsteinHelfandIonicConductivity(**settings).data_dict
        kinds.append(("ionic_conductivity", 1, 100, data))
    return {
        name: tuple(
            value * factor / divisor
            for value in (values[key], values["msd"][-1] / values["time"][-1] / 6)
        )
        for key, factor, divisor, data in kinds
        for name, values in data.items()
    }


def _estimate(estimates: list[tuple[float, float]], name: str, unit: str) -> dict:
    """Value of the whole trajectory (first) with the standard error of the blocks (others).

    The motion does not diffuse if the value is 0 at the 1 % level, and its interval less than half of
    what a free walker with these displacements has.
    """
    (value, free), blocks = estimates[0], pd.Series([block for block, _ in estimates[1:]])
    stderr = blocks.std(ddof=1) / np.sqrt(len(blocks))
    half, wide = student_t.ppf([0.975, 0.995], len(blocks) - 1) * stderr
    bounded = value < wide and value + half < free / 2
    low = min(value - half, 0.0) if bounded else value - half
    cells = {"": value, "_stderr": stderr, "_ci_low": low, "_ci_high": value + half}
    return {f"{name}{part}_{unit}": cell for part, cell in cells.items()} | {
        "note": "does not diffuse" if bounded else ""
    }


def _without_empty_notes(table: pd.DataFrame) -> pd.DataFrame:
    """Table without the column ``note`` where no row has one; that column alone without rows."""
    if table.empty:
        return pd.DataFrame(columns=["note"])
    return (
        table
        if table.get("note", pd.Series("")).any()
        else table.drop(columns="note", errors="ignore")
    )


def _rdf_table(
    experiment: "mdsuite.Experiment",
    dump: SimpleNamespace,
    parts: list[np.ndarray],
    range_A: float,
    bins: int,
) -> pd.DataFrame:
    """Partial RDFs, normalised as in minset.observe.rdf.

    MDSuite divides by 4 pi x^2 dr with x from 0 to the range, end included, which is neither
    centre nor edge of a bin, and counts N^2 like pairs where N (N - 1) exist. Both are undone.
    """
    blocks = []
    for part in parts:
        frames = min(len(part), RDF_FRAMES_PER_BLOCK)
        per_batch = max(1, PAIRS_PER_BATCH // dump.n_ions**2)
        result = experiment.run.RadialDistributionFunction(
            plot=False,
            number_of_bins=bins,
            cutoff=range_A,
            start=int(part[0]),
            stop=int(part[-1]),
            number_of_configurations=frames,
            batches=-(-frames // per_batch),
            minibatch=dump.n_ions,
        )
        blocks.append(result.data_dict)
    edges = np.linspace(0.0, range_A, bins + 1)
    shells = np.diff(edges**3) / 3
    x = np.linspace(0.0, range_A, bins)
    tables = []
    for first, second in itertools.combinations_with_replacement(dump.charges, 2):
        n_second = dump.numbers[second]
        pairs_share = (n_second - 1) / n_second if first == second else 1.0
        key = f"{first}_{second}" if f"{first}_{second}" in blocks[0] else f"{second}_{first}"
        # The first bin is divided by 0; no ions are that close.
        counted = [np.nan_to_num(np.array(block[key]["y"]) * x**2) for block in blocks]
        g = np.array(counted) * (range_A / bins) / shells / pairs_share
        density = n_second * pairs_share / np.prod(dump.edges_A)
        tables.append(
            pd.DataFrame(
                {
                    "pair": f"{first}-{second}",
                    "r_A": (edges[1:] + edges[:-1]) / 2,
                    "g": g.mean(axis=0),
                    "g_stderr": g.std(axis=0, ddof=1) / np.sqrt(len(parts)),
                    "coordination_number": np.cumsum(4 * np.pi * density * g.mean(axis=0) * shells),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV with its source aside, then rename: no partial table stands at `path`."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        table.assign(source="mdsuite").to_csv(aside, index=False)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, parameter in inspect.signature(main).parameters.items():
        kind = parameter.annotation if parameter.annotation in (int, float) else str
        required = parameter.default is parameter.empty
        default = None if required else parameter.default
        parser.add_argument(f"--{name}", type=kind, required=required, default=default)
    main(**vars(parser.parse_args()))
