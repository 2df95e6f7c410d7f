"""Frames that no selector sees: the test and the validation set."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from minset.pool.store import read_numbers, read_property
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.select.candidates import FRAMES, Candidates
from minset.select.record import Selector


def finite_frames(pool: Path, descriptors: Path | None = None) -> np.ndarray:
    """Which frames of a pool have finite energies, forces and descriptors.

    What no frame of the pool has, as in one of another program without energies, is asked of none.

    Parameters
    ----------
    pool
        Pool file.
    descriptors
        Array of the descriptors of its frames, shape (T, d), or of their atoms, (T, n_max, features).

    Returns
    -------
    numpy.ndarray
        Of bool, shape (T,). How many are not finite goes to the log.

    Raises
    ------
    ValueError
        If the pool is damaged.
    """
    padding = read_numbers(pool) == 0
    finite = np.ones(len(padding), bool)
    for name in ("energy_eV", "atomic_energies_eV", "force_size_eV_A"):
        values = read_property(pool, name)
        if not np.isnan(values).all():
            known = np.isfinite(values)
            finite &= known if known.ndim == 1 else (known | padding).all(axis=1)
    if descriptors:
        rows = np.load(descriptors, mmap_mode="r")
        for begin in range(0, len(rows), FRAMES):
            block = np.isfinite(rows[begin : begin + FRAMES])
            finite[begin : begin + FRAMES] &= block.reshape(len(block), -1).all(axis=1)
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
    pandas.DataFrame
        ``frame``, ``run``, ``role``: test, validation, candidate or unused.

    Raises
    ------
    ValueError
        If there are too few frames, or a selector of the test frames looks at models.
    """
    held_out = frames["run"].isin(held_out_runs).to_numpy()
    roles = _roles_before(held_out, finite)
    source = (held_out if held_out_runs else ~held_out) & finite
    for number, selector in enumerate(test["selectors"]):
        count = len(range(number, test["frames"], len(test["selectors"])))
        free = frames[source & (roles != "test")]
        _require(len(free), count, "test.frames")
        record = _of_test(selector)
        options = defaults_of(record.options)
        picks = record.select(candidates_of(free), count, test["seed"], options)["frame"]
        roles[frames["frame"].isin(picks)] = "test"
    free = np.flatnonzero(roles == "candidate")
    _require(len(free), validation["frames"], "validation.frames")
    rng = np.random.default_rng(validation["seed"])
    roles[rng.choice(free, validation["frames"], replace=False)] = "validation"
    return frames.assign(role=roles)


def given_roles(
    frames: pd.DataFrame, finite: np.ndarray, held_out_runs: list[int], given: dict[int, str]
) -> pd.DataFrame:
    """Give every frame of a pool a role, with test and validation frames that are known.

    Parameters
    ----------
    frames, finite, held_out_runs
        As in `split_frames`.
    given
        Role, test or validation, of each of these frames.
    """
    roles = _roles_before(frames["run"].isin(held_out_runs).to_numpy(), finite)
    known = frames["frame"].map(given)
    return frames.assign(role=known.where(known.notna(), roles))


def _roles_before(held_out: np.ndarray, finite: np.ndarray) -> np.ndarray:
    return np.where(held_out | ~finite, "unused", "candidate").astype(object)


def _of_test(name: str) -> Selector:
    """Selector of test frames."""
    record = SELECTORS[name]
    if "models" in record.needs(defaults_of(record.options)):
        raise ValueError(
            f"{name} (test.selectors) looks at trained models, but test frames are set apart before "
            "any is trained; take another selector"
        )
    return record


def _require(there: int, wanted: int, key: str) -> None:
    if wanted > there:
        raise ValueError(
            f"{wanted} frames were asked for ({key}), {there} are left in the pool for them; lower "
            f"{key} or raise pool.frames"
        )
