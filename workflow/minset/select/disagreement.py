"""Selector ``disagreement``: query by committee.

The members of a committee are models that differ in nothing but their random numbers. Where they were
trained they agree; where they do not, nothing has told them what is right (Seung, Opper, Sompolinsky,
COLT 1992, 287; for forces Zhang et al., Phys. Rev. Materials 3, 023804, 2019).
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from minset.evaluation import Evaluation, Unusable
from minset.files import written_aside
from minset.model import learned_evaluator
from minset.model.committee import force_spread_eV_A, variance
from minset.pool.store import read_geometries
from minset.select.batch import farthest_first, without_copies
from minset.select.candidates import Candidates, standardised
from minset.select.record import OF_COMMITTEES, Selector

FILE = "disagreement.npy"
FRAMES_PER_BLOCK = 64  # between two writings of the file
UNITS = {"forces": "eV/A", "atomic_energies": "eV", "energy": "eV"}
THRESHOLDS = {
    "forces": "threshold_eV_A",
    "atomic_energies": "threshold_eV",
    "energy": "threshold_eV",
}


def select_disagreement(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick up to ``n`` frames about which the committee disagrees most, far from each other.

    The most uncertain frames above the threshold, ``shortlist`` times ``n`` of them and none a copy of
    another or of a known pick (0.05 A apart), are ordered by farthest point sampling on the
    standardised descriptors of frames, beginning with the most uncertain one; known picks count as
    picked.

    Parameters
    ----------
    candidates
        With ``descriptors``, and the folders of at least two ``models``.
    n
        Number of new picks; there are fewer, or none, when no others are above the threshold.
    seed
        Nothing is drawn: the picks of every seed are those of its models.
    options
        As in ``RECORD``; the quantity is that of `disagreement`.

    Returns
    -------
    pandas.DataFrame
        ``pick``, ``frame``, ``score`` (the disagreement) and ``unit`` of the score, eV/A or eV.

    Raises
    ------
    ValueError
        If there are fewer than two models, or the threshold is that of another quantity.
    """
    quantity, threshold = options["quantity"], _threshold(options)
    if len(candidates.models) < 2:
        raise ValueError(
            f"a committee needs two members or more, this one has {len(candidates.models)}; raise "
            "`members` of the model that the selector names"
        )
    known = np.isin(candidates.frames, candidates.known)
    values = np.full(len(known), -np.inf)
    values[~known] = _of_pool(candidates, candidates.frames[~known], quantity)
    above = np.flatnonzero(values > threshold)  # NaN is not
    frames, order = candidates.frames, above[np.argsort(-values[above], kind="stable")]
    short = without_copies(candidates.pool, frames[order], frames[known], options["shortlist"] * n)
    rows = order[pd.Index(frames[order]).get_indexer(short)]
    x = standardised(candidates.descriptors)
    picks = farthest_first(x, rows, np.flatnonzero(known), n)
    unit = UNITS[quantity]
    print(
        f"{len(above)} of {len(known) - known.sum()} frames are above {threshold:g} {unit}, the largest "
        f"disagreement being {np.nanmax(values, initial=0):.3g} {unit}; {len(picks)} of {n} picked"
        if len(above)
        else f"disagreement finds nothing above its threshold of {threshold:g} {unit}; the largest is "
        f"{np.nanmax(values, initial=0):.3g} {unit}"
    )
    return pd.DataFrame(
        {
            "pick": range(len(picks)),
            "frame": frames[picks],
            "score": values[picks],
            "unit": unit,
        }
    )


def disagreement(members: Sequence[Evaluation], quantity: str) -> float:
    """Disagreement of the members of a committee about one frame.

    Standard deviations have no Bessel correction: the members are the whole committee.

    Parameters
    ----------
    members
        Their force calls.
    quantity
        ``forces``: max_i sqrt(<|F_i - <F_i>|^2>) over the atoms i, with means over the members, in eV/A
        (Zhang et al., eq. 5). ``atomic_energies``: the largest standard deviation of the energy of an
        atom, eV. ``energy``: that of the energy per atom, eV.
    """
    if quantity == "forces":
        return force_spread_eV_A(members)
    if quantity == "atomic_energies":
        return float(np.sqrt(variance([m.atomic_energies_eV for m in members]).max()))
    atoms = len(members[0].forces_eV_A)
    return float(np.sqrt(variance([m.energy_eV / atoms for m in members])))


def _threshold(options: dict) -> float:
    quantity = options["quantity"]
    for name in set(THRESHOLDS.values()) - {THRESHOLDS[quantity]}:
        if name in options:
            raise ValueError(
                f"selector disagreement looks at {quantity}, whose threshold is "
                f"{THRESHOLDS[quantity]}, not {name}"
            )
    return options.get(THRESHOLDS[quantity], 0.0)


def _of_pool(candidates: Candidates, frames: np.ndarray, quantity: str) -> np.ndarray:
    """Disagreement about some frames of the pool, shape (k,); a killed computation goes on.

    NaN where a member gives nothing finite.
    """
    path, order = candidates.work / FILE, np.argsort(frames)
    done = _saved(path, len(frames))
    left = frames[order][len(done) :]
    began = reported = time.monotonic()
    members = Members(candidates.models, candidates.threads)
    for numbers, positions, cells in _blocks(candidates.pool, left):
        block = [
            disagreement(calls, quantity) if calls else np.nan
            for calls in map(members.calls, numbers, positions, cells)
        ]
        done = np.concatenate([done, block])
        with written_aside(path) as aside:
            np.save(aside, done)
        if time.monotonic() - reported > 5 or len(done) == len(frames):
            reported = time.monotonic()
            rest = len(frames) - len(done)
            rate = (len(left) - rest) / max(reported - began, 1e-9)
            print(
                f"disagreement about {len(done)} of {len(frames)} frames, {rate:.0f} frames/s, "
                f"{rest / rate:.0f} s left",
                flush=True,
            )
    if broken := int(np.isnan(done).sum()):
        print(f"{broken} frames are left out: members give no finite forces or energies there")
    values = np.empty(len(frames))
    values[order] = done
    return values


def _saved(path: Path, most: int) -> np.ndarray:
    """What a killed computation had done."""
    try:
        saved = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return np.empty(0)
    except (ValueError, EOFError, OSError) as error:
        print(f"{path.name} is damaged ({error}); it is computed again")
        return np.empty(0)
    print(f"continuing after {len(saved)} frames", flush=True)
    return saved[:most]


def _blocks(pool: Path, frames: np.ndarray) -> Iterator[tuple]:
    """Atomic numbers, positions and cells of some frames, by increasing index, block by block."""
    for begin, numbers, positions, cells in read_geometries(pool, FRAMES_PER_BLOCK):
        rows = frames[(frames >= begin) & (frames < begin + len(numbers))] - begin
        if len(rows):
            yield numbers[rows], positions[rows], cells[rows]


class Members:
    """Force calls of a committee, made anew only when the composition changes."""

    def __init__(self, folders: Sequence[Path], threads: int):
        self.folders, self.threads = folders, threads
        self._composition, self._evaluators = None, []

    def calls(
        self, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray
    ) -> list[Evaluation]:
        """Force calls of all members for one frame; none if its geometry cannot be used."""
        # atoms by species: frames that differ in the order of atoms alone share the evaluators
        order = np.argsort(numbers, kind="stable")[np.count_nonzero(numbers == 0) :]
        composition = numbers[order].astype(int)
        if not np.array_equal(composition, self._composition):
            # a baseline is the same for all members: they cannot disagree about it
            self._evaluators = [
                learned_evaluator(f, composition, self.threads) for f in self.folders
            ]
            self._composition = composition
        try:
            return [evaluate(positions[order], cell) for evaluate in self._evaluators]
        except Unusable as error:
            print(f"no force call can be made of a frame: {error}")
            return []


RECORD = Selector(
    options=OF_COMMITTEES
    | {
        "quantity": {
            "enum": list(UNITS),
            "default": "forces",
            "description": "What the members disagree about: the force on an atom, the energy of an "
            "atom, or the energy of a frame per atom",
        },
        "threshold_eV_A": {
            "type": "number",
            "minimum": 0,
            "description": "Of forces: frames with less disagreement are not picked; 0 when absent",
        },
        "threshold_eV": {
            "type": "number",
            "minimum": 0,
            "description": "The same of energies, of an atom or per atom",
        },
        "shortlist": {
            "type": "integer",
            "minimum": 1,
            "default": 5,
            "description": "Picks are chosen among this many times as many of the most uncertain frames",
        },
    },
    select=select_disagreement,
    needs=lambda options: {"frames", "models"},
    required=("model",),
)
