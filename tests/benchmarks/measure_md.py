"""Molecular dynamics: time per force call and per step of all contestants.

Run by bench.py, once for each number of threads. The contestants of a case live in one process and
take turns.
"""

import gc
import json
import logging
import sys
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import psutil
import torch
from contestants_md import CONTESTANTS, Case, schnetpack_ase
from frames import SEED, hyper_parameters, liquid, model_folder, nacl
from measure import append_rows, interleaved, missing, seconds_of, spread, with_threads

MOVED_A = 0.01  # between force calls: nothing is computed twice, lists with a skin stay
LONGEST_BLOCK = 100  # steps
# largest difference of forces: rounding in float32, and what tables of filters may add to it
AGREEMENT_EV_A = {"minset compressed": 1e-3}
ROUNDING_EV_A = 1e-4
PAIRS_PER_ION = 26  # at 6 A, for the memory only


def needed_bytes(hyper: dict, ions: int) -> float:
    """Memory of a force call through the network: what it keeps for the way back (measured)."""
    return 0.5e9 + 4 * 9 * hyper["interactions"] * hyper["filters"] * PAIRS_PER_ION * ions


def require_same_forces(name: str, found: np.ndarray, reference: np.ndarray) -> float:
    """Largest difference of forces in eV/A.

    Raises
    ------
    RuntimeError
        If the contestant does not compute the same model.
    """
    difference = float(np.abs(found - reference).max())
    if not difference <= AGREEMENT_EV_A.get(name, ROUNDING_EV_A):
        raise RuntimeError(f"{name}: forces differ from schnetpack's by {difference:.1e} eV/A")
    return difference


def measure_case(
    case: Case, names: list[str], budget_s: float, reference: np.ndarray | None
) -> dict[str, dict]:
    """Columns of the table for each contestant: agreement, force calls, steps.

    Parameters
    ----------
    budget_s
        Wall time of each contestant for each of the two measurements.
    reference
        Forces of schnetpack in eV/A, if they could be computed.
    """
    built = {name: CONTESTANTS[name](case) for name in names}
    columns, calls, blocks, lengths = {}, {}, {}, {}
    for name, contestant in built.items():
        found = contestant.forces(case.atoms.positions)
        differences = [
            np.nan if reference is None else require_same_forces(name, forces, reference)
            for forces in (found, contestant.first)
            if forces is not None
        ]
        columns[name] = {
            "largest_force_eV_A": float(f"{np.abs(found).max():.3g}"),
            "largest_difference_eV_A": float(f"{max(differences):.2g}"),
        }
        call = moving(contestant.forces, case.atoms.positions)
        calls[name] = partial(
            _mean_call, call, _fitting(0.3, warm(partial(_mean_call, call, 1)), 50)
        )
        lengths[name] = _fitting(budget_s / 5, warm(partial(contestant.steps, 1)), LONGEST_BLOCK)
        blocks[name] = partial(_mean_step, contestant.steps, lengths[name])
    for name, seconds in interleaved(calls, budget_s).items():
        columns[name] |= spread([1000 * s for s in seconds], "force_call_ms")
        columns[name] |= {"force_call_repetitions": len(seconds)}
    for name, seconds in interleaved(blocks, budget_s).items():
        columns[name] |= spread([1000 * s for s in seconds], "step_ms")
        columns[name] |= {"blocks": len(seconds), "steps_per_block": lengths[name]}
    for contestant in built.values():
        contestant.close()
    return columns


def moving(forces: Callable[[np.ndarray], np.ndarray], positions: np.ndarray) -> Callable:
    """A force call for positions that differ from those of the call before."""
    rng = np.random.default_rng(SEED)
    moved = cycle([positions + MOVED_A * rng.normal(size=positions.shape) for _ in range(3)])
    return lambda: forces(next(moved))


def warm(work: Callable[[], float]) -> float:
    """Seconds of a call, the second one where that costs little: the first may compile."""
    seconds = work()
    return work() if seconds < 2.0 else seconds


def _fitting(seconds: float, once: float, most: int) -> int:
    return int(np.clip(seconds // once, 1, most))


def _mean_call(call: Callable, n: int) -> float:
    return seconds_of(lambda: [call() for _ in range(n)]) / n


def _mean_step(steps: Callable[[int], float], n: int) -> float:
    return steps(n) / n


def _summary(name: str, c: dict) -> str:
    return (
        f"    {name:18s} {c['step_ms']:9.4g} ms a step, {c['force_call_ms']:9.4g} ms a force call; "
        f"{c['blocks']} x {c['steps_per_block']} steps; forces within "
        f"{c['largest_difference_eV_A']:.0e} of up to {c['largest_force_eV_A']:.1e} eV/A"
    )


def main(plan: dict) -> None:
    """Measure all cases of the plan that have no rows yet, small ones first."""
    table, work, threads = Path(plan["results"]) / "md.csv", Path(plan["work"]), plan["threads"]
    torch.set_num_threads(threads)
    logging.getLogger("schnetpack").setLevel(logging.WARNING)
    for size in plan["models"]:
        hyper = hyper_parameters(size)
        for ions in sorted(plan["sizes"]):
            about = f"md, {size} model, {ions} ions, {threads} thread{'s' * (threads > 1)}"
            key = {"model": size, "ions": ions, "threads": threads}
            names = missing(table, with_threads(list(CONTESTANTS), threads), **key)
            if not names:
                continue
            needed, free = needed_bytes(hyper, ions), psutil.virtual_memory().available
            fits = needed < 0.8 * free
            if not fits:
                print(
                    f"{about}: schnetpack's network would need about {needed / 1e9:.1f} GB of "
                    f"{free / 1e9:.1f} GB free; skipped",
                    flush=True,
                )
                names = [n for n in names if n == "minset compressed"]
                if not names:
                    continue
            case = Case(
                atoms=liquid(work, ions),
                folder=model_folder(work, size),
                cutoff_A=hyper["cutoff_A"],
                system=nacl(),
                threads=threads,
            )
            reference = schnetpack_ase(case).forces(case.atoms.positions) if fits else None
            columns = measure_case(case, names, plan["budget_s"], reference)
            append_rows(table, [{"contestant": n, **key, **columns[n]} for n in names])
            print(about, *(_summary(n, columns[n]) for n in names), sep="\n", flush=True)
            gc.collect()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
