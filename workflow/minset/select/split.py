"""Frames that no selector sees: the test and the validation set."""

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pandas as pd

from minset.pool.store import read_property
from minset.select import SELECTORS
from minset.select.candidates import Candidates


def finite_frames(pool: Path, descriptors: Path) -> np.ndarray:
    """Which frames of a pool have finite energies, forces and descriptors, shape (T,)."""
    finite = np.isfinite(np.load(descriptors, mmap_mode="r")).all(axis=1)
    for name in ("energy_eV", "atomic_energies_eV", "force_size_eV_A"):
        values = np.isfinite(read_property(pool, name))
        finite &= values.reshape(len(values), -1).all(axis=1)
    if broken := int((~finite).sum()):
        print(
            f"{broken} of {len(finite)} frames have energies, forces or descriptors that are not "
            f"finite and are left out: {', '.join(map(str, np.flatnonzero(~finite)[:10]))}"
            f"{', ...' if broken > 10 else ''}"
        )
    return finite


def split_frames(
    frames: pd.DataFrame,
    finite: np.ndarray,
    test: dict,
    validation: dict,
    held_out_runs: list[int],
    candidates_of: Callable[[pd.DataFrame], Candidates],
) -> pd.DataFrame:
    """Give every frame of a pool a role.

    Parameters
    ----------
    frames
        ``frame`` and ``run`` of all frames of the pool.
    finite
        Which of them can be used, see `finite_frames`.
    test
        ``frames``, ``seed``, and ``selectors``, whose first picks make up the set in equal parts, as
        in "Efficient data selection methods" (2021): errors on it favour no principle of selection.
    validation
        ``frames``, ``seed``: drawn at random from what is left to the candidates.
    held_out_runs
        Numbers of MD runs from which the test frames come, all other frames of these staying unused;
        when empty, test frames come from all runs.
    candidates_of
        What selectors see of some rows of ``frames``.

    Returns
    -------
    pd.DataFrame
        ``frame``, ``run``, ``role``: test, validation, candidate or unused.

    Raises
    ------
    ValueError
        If there are too few frames.
    """
    held_out = frames["run"].isin(held_out_runs).to_numpy()
    roles = np.where(held_out | ~finite, "unused", "candidate").astype(object)
    source = (held_out if held_out_runs else ~held_out) & finite
    for number, selector in enumerate(test["selectors"]):
        count = len(range(number, test["frames"], len(test["selectors"])))
        free = frames[source & (roles != "test")]
        _require(len(free), count, "test.frames")
        select = resolve_name(SELECTORS[selector])
        picks = select(candidates_of(free), count, test["seed"], {})["frame"]
        roles[frames["frame"].isin(picks)] = "test"
    free = np.flatnonzero(roles == "candidate")
    _require(len(free), validation["frames"], "validation.frames")
    rng = np.random.default_rng(validation["seed"])
    roles[rng.choice(free, validation["frames"], replace=False)] = "validation"
    return frames.assign(role=roles)


def _require(there: int, wanted: int, key: str) -> None:
    if wanted > there:
        raise ValueError(
            f"{wanted} frames were asked for ({key}), {there} are left in the pool for them; lower "
            f"{key} or raise pool.frames"
        )
