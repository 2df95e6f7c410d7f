"""Selector ``explore``: query by committee along molecular dynamics, training on the fly.

One model of a committee runs from a crystal, a slab or a frame of the pool, into what no frame has
shown it; where the members disagree about a force, a frame is flagged, to be labelled (Salazar Letona,
"On-the-Fly Training for Machine Learning Interaction Potentials", 2023). The next size trains with it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from minset.files import write_json
from minset.md.engines import LIMITS, Alarm, model_engine
from minset.md.watched import Walk, run_watched
from minset.pool.store import write_pool
from minset.select.candidates import OWN_FRAMES, Candidates
from minset.select.disagreement import Members, disagreement
from minset.select.record import OF_COMMITTEES, Selector
from minset.select.starts import STARTS, start_mistakes, start_of

UNIT = "eV/A"
_DIGITS = 8  # of positions and cells in A, which extended XYZ holds exactly
_FIRST, _BROKE = "first check", "last frame before the run broke"


@dataclass(frozen=True)
class Walker:
    """One run of molecular dynamics: its name, and where and how it starts."""

    name: str
    atoms: Atoms
    seed: int


def select_explore(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Up to ``n`` frames of molecular dynamics at which the committee disagrees.

    Walkers run one after the other, each with the first member's forces, until they have flagged their
    share of the frames that are still wanted, or their time is over. Every ``check_ps`` the
    disagreement is computed, max_i sqrt(<|F_i - <F_i>|^2>) over the atoms i with means over the members
    (the paper's eq. 2). A check above the threshold flags its frame, at the earliest
    ``spacing_ps`` after the walker's last flag. Of a walker that breaks the last frame at which it was
    sound is flagged. Half-done work goes on after the last walker that ended.

    Parameters
    ----------
    candidates
        With the folders of at least two ``models``. Starts of kind ``pool`` are of its frames.
    n
        Number of new picks; there are fewer, or none, where the threshold is reached less often.
    seed
        Decides velocities and frames of the pool, with the number of frames that are there.
    options
        As in ``RECORD``, and ``system``: its ``species``, and ``crystal`` where its file names one.

    Returns
    -------
    pandas.DataFrame
        ``pick``, ``origin`` (the run: first model, walker), ``frame`` (its step), ``score`` (the
        disagreement), ``unit``, ``time_ps`` and ``why`` it was flagged. The frames themselves are in
        ``OWN_FRAMES`` of ``candidates.work``.

    Raises
    ------
    ValueError
        If there are fewer than two models.
    """
    if len(candidates.models) < 2:
        raise ValueError(
            f"a committee needs two members or more, this one has {len(candidates.models)}; raise "
            "`members` of the model that the selector names"
        )
    there = len(candidates.known) + candidates.picked_elsewhere
    walkers = _walkers(candidates, there, [seed, there + n], options)
    members = Members(candidates.models, candidates.threads)
    outcomes = []
    for number, walker in enumerate(walkers):
        left = n - sum(len(outcome["flags"]) for outcome in outcomes)
        if left == 0:
            break
        share = math.ceil(left / (len(walkers) - number))
        file = candidates.work / f"walker-{number + 1}.json"
        outcome = _saved(file)
        if outcome is None:
            outcome = _explored(walker, members, share, options)
            write_json(file, outcome)
        print(f"{walker.name}: {outcome['end']}", flush=True)
        outcomes.append(outcome)
    _tell(outcomes, options["threshold_eV_A"])
    return _picks(candidates, walkers, outcomes, options["timestep_fs"])


def _walkers(candidates: Candidates, there: int, entropy: list[int], options: dict) -> list[Walker]:
    """Walkers in their order: starts take turns, from round to round too."""
    names = list(options["starts"])
    rngs = [np.random.default_rng([*entropy, k]) for k in range(len(names) * options["walkers"])]
    walkers = []
    for k, rng in enumerate(rngs):
        name = names[(there + k) % len(names)]
        atoms = start_of(
            options["starts"][name], options["system"], candidates.pool, candidates.frames, rng
        )
        walkers.append(Walker(f"{name}-{k + 1}", atoms, int(rng.integers(1, 2**31 - 1))))
    return walkers


def _explored(walker: Walker, members: Members, share: int, options: dict) -> dict:
    """Run one walker: its flags, the disagreement at all checks, and how it ended."""
    timestep_fs, threshold = options["timestep_fs"], options["threshold_eV_A"]
    steps = {key: max(1, round(options[key] * 1000 / timestep_fs)) for key in _TIMES}
    every, spacing = steps["check_ps"], steps["spacing_ps"]
    seen, flags, last = [_disagreement(members, walker.atoms)], [], None

    def look(step: int, atoms: Atoms) -> bool:
        nonlocal last
        seen.append(_disagreement(members, atoms))
        last = _flag(step, seen[-1], atoms, "above the threshold")
        if seen[-1] > threshold and (not flags or step - flags[-1]["frame"] >= spacing):
            flags.append(last | ({"why": _FIRST} if step == every else {}))
        return len(flags) == share

    walk = Walk(
        options["temperature_K"], timestep_fs, every, steps["duration_ps"] // every, walker.seed
    )
    limits = LIMITS | {"force_eV_A": options["force_eV_A"]}
    attach = model_engine(members.folders[0], limits, {}, members.threads)
    broken = run_watched(walker.atoms, options["system"], attach, walk, look)
    known = {flag["frame"] for flag in flags}
    if broken and last and last["frame"] not in known and np.isfinite(last["score"]):
        flags.append(last | {"why": _BROKE})
    finite = [float(value) if np.isfinite(value) else None for value in seen]
    return {"flags": flags, "seen": finite, "end": _end(flags, broken, len(seen) - 1, options)}


def _disagreement(members: Members, atoms: Atoms) -> float:
    calls = members.calls(atoms.numbers, atoms.positions, atoms.cell[:])
    return disagreement(calls, "forces") if calls else math.nan


def _flag(step: int, score: float, atoms: Atoms, why: str) -> dict:
    """A frame as plain values, to the digits that text files hold."""
    return {
        "frame": step,
        "score": score,
        "why": why,
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.round(_DIGITS).tolist(),
        "cell": atoms.cell[:].round(_DIGITS).tolist(),
    }


def _end(flags: list[dict], broken: Alarm | None, checks: int, options: dict) -> str:
    """How a walker ended, in words."""
    timestep_ps = options["timestep_fs"] / 1000
    at = ", ".join(f"{flag['frame'] * timestep_ps:.2f} ps" for flag in flags)
    flagged = f"{len(flags)} frames flagged at {at}" if flags else "nothing flagged"
    ran = f"in {checks * options['check_ps']:.2f} ps"
    return f"{flagged} {ran}" + (
        f"; it broke at {broken.step * timestep_ps:.2f} ps: {broken.reason}" if broken else ""
    )


def _saved(path: Path) -> dict | None:
    """What a walker of a killed selection had done."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        print(f"{path.name} is damaged ({error}); this walker runs again")
        return None


def _tell(outcomes: Sequence[dict], threshold: float) -> None:
    """Say what disagreement was seen, and what would do where the threshold does not part frames."""
    checks = [
        np.array([value for value in outcome["seen"][1:] if value is not None])
        for outcome in outcomes
    ]
    values = np.concatenate(checks) if checks else np.empty(0)
    if not len(values):
        print("each walker broke before its first check: nothing is added; shorten `check_ps`")
        return
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    largest = values.max()
    print(
        f"disagreement at {len(values)} checks: a tenth below {low:.3g}, half below {middle:.3g}, nine "
        f"tenths below {high:.3g}, largest {largest:.3g} {UNIT}"
    )
    reasons = [flag["why"] for outcome in outcomes for flag in outcome["flags"]]
    if not reasons:
        print(
            f"the threshold of {threshold:g} {UNIT} was never reached: nothing is added; threshold_eV_A: "
            f"{high:.2g} would flag one check in ten of these, or run longer or hotter"
        )
    elif all(reason == _FIRST for reason in reasons):
        print(
            f"each walker was above the threshold of {threshold:g} {UNIT} at its first check: frames "
            f"are hardly more than the starts; with threshold_eV_A: {1.5 * middle:.2g} walkers would "
            "move on first"
        )


def _picks(
    candidates: Candidates, walkers: list[Walker], outcomes: list[dict], timestep_fs: float
) -> pd.DataFrame:
    """Table of all flags, and their frames in ``OWN_FRAMES``."""
    columns = ["origin", "frame", "score", "unit", "time_ps", "why"]
    rows, frames = [], []
    for walker, outcome in zip(walkers, outcomes, strict=False):
        origin = f"{candidates.models[0]}/{walker.name}"
        for flag in outcome["flags"]:
            time_ps = round(flag["frame"] * timestep_fs / 1000, 6)
            rows.append((origin, flag["frame"], flag["score"], UNIT, time_ps, flag["why"]))
            frames.append(Atoms(flag["numbers"], flag["positions"], cell=flag["cell"], pbc=True))
    if frames:
        write_pool(candidates.work / OWN_FRAMES, frames)
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "pick", range(len(table)))
    return table


def explore_mistakes(options: dict, system: dict, cutoff_A: float) -> list[str]:
    """Starts that the system does not have, and times that do not follow from each other."""
    mistakes = start_mistakes(options["starts"], system, cutoff_A)
    shortest = options["timestep_fs"] / 1000
    if options["check_ps"] < shortest:
        mistakes.append(f"check_ps: shorter than a time step of {shortest:g} ps")
    if options["duration_ps"] < options["check_ps"]:
        mistakes.append(
            f"duration_ps: {options['duration_ps']:g} ps end before the first check "
            f"(check_ps {options['check_ps']:g})"
        )
    return mistakes


_TIMES = ("duration_ps", "check_ps", "spacing_ps")
_positive = {"type": "number", "exclusiveMinimum": 0}
RECORD = Selector(
    options=OF_COMMITTEES
    | {
        "starts": STARTS,
        "walkers": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "default": 1,
            "description": "Runs from each start",
        },
        "threshold_eV_A": {
            "type": "number",
            "minimum": 0,
            "default": 0.05,
            "description": "Largest standard deviation of the force on an atom above which a frame is "
            "flagged",
        },
        "temperature_K": _positive | {"description": "Of the walkers"},
        "duration_ps": _positive | {"default": 10.0, "description": "Of a walker at most"},
        "timestep_fs": {"type": "number", "minimum": 0.001, "maximum": 100, "default": 2.0},
        "check_ps": _positive | {"default": 0.05, "description": "Between two checks"},
        "spacing_ps": _positive
        | {"default": 0.5, "description": "Least time between two flags of a walker"},
        "force_eV_A": _positive
        | {
            "default": LIMITS["force_eV_A"],
            "description": "Force at which a walker counts as broken",
        },
    },
    select=select_explore,
    needs=lambda options: {"models", "system"},
    mistakes=explore_mistakes,
    required=("model", "starts", "temperature_K"),
)
