"""Test frames and picks of selectors as they were published, where what decides them is the same."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from ase import Atoms

from minset.label.access import access_told
from minset.names import HELD_OUT, set_row
from minset.pool.store import pool_size, read_frames
from minset.published.frames import damaged, geometry_hash

ABOUT, ORDER = "about.json", "selection.csv"
FORMAT = "minset-published-1"
# of selection.csv, not of the table of a set
OF_PUBLISHED = ("set", "role", "selector", "seed")
# of every selection
OF_PICKS = ("pick", "frame", "score", "key")


def is_selection(name: str) -> bool:
    """Whether a set is of a selector, and not of test frames or of frames that come in another way."""
    return name != HELD_OUT and "/" not in name


@dataclass(frozen=True)
class Orders:
    """What a folder has published: its about.json, and the rows of its selection.csv as texts."""

    folder: Path
    about: dict
    rows: pd.DataFrame


def read_orders(folder: Path) -> Orders | None:
    """Read what a folder has published of selections; None where it has published none.

    Raises
    ------
    ValueError
        If a file is damaged, or of a later version of minset.
    OSError
        If there is no access to it.
    """
    folder = Path(folder)
    try:
        with access_told(folder / ABOUT):
            about = json.loads((folder / ABOUT).read_bytes())
        with access_told(folder / ORDER):
            # texts: numbers are handed on as they are written
            rows = pd.read_csv(folder / ORDER, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        return None
    except (ValueError, pd.errors.ParserError) as error:
        raise damaged(folder / ABOUT, error) from error
    if about.get("format") != FORMAT:
        raise damaged(folder / ABOUT, f"its format is {about.get('format')!r}, not {FORMAT!r}")
    counts = rows["set"].value_counts().to_dict()
    if counts != {name: count for name, count in about["sets"].items() if count}:
        raise damaged(folder / ORDER, f"its numbers of frames are not those of {ABOUT}")
    return Orders(folder, about, rows)


def pool_hash(pool: Path, frames_per_block: int = 1024) -> str:
    """Hash of the geometries of a pool, in their order."""

    def frames() -> Iterator[Atoms]:
        size = pool_size(pool)
        for begin in range(0, size, frames_per_block):
            yield from read_frames(pool, range(begin, min(begin + frames_per_block, size)))

    return geometry_hash(frames())


def held_out_roles(orders: Orders, pool: Path, decides: dict) -> dict[int, str] | None:
    """Frames of the pool that are test and validation frames, with their roles.

    Parameters
    ----------
    orders
        What was published.
    pool
        Pool of the study.
    decides
        What decides these frames in the study, see ``minset.published.decides``.

    Returns
    -------
    dict or None
        None where they are not published.

    Raises
    ------
    ValueError
        If they were drawn from another pool or by other options, with the difference.
    """
    if HELD_OUT not in orders.about["sets"]:
        return None
    _require_same_pool(orders, pool)
    _require_same(orders, orders.about["split"], decides)
    rows = orders.rows[orders.rows["set"] == HELD_OUT]
    return dict(zip(rows["frame"].astype(int), rows["role"], strict=True))


def published_picks(
    orders: Orders,
    name: str,
    known: dict[str, list[int]],
    pool: Path,
    roles: pd.DataFrame,
    decides: dict,
    by_size: bool,
) -> pd.DataFrame | None:
    """New picks of a set in their order, with the columns of the set's table.

    Parameters
    ----------
    orders
        What was published.
    name
        Of the set.
    known
        Picks of the smaller sizes, by their sets.
    pool
        Pool of the study.
    roles
        ``frame`` and ``role`` of all its frames.
    decides
        What decides the picks of the selector in the study, see ``minset.published.decides``.
    by_size
        Whether the smaller sizes decide, too: models of theirs were looked at.

    Returns
    -------
    pandas.DataFrame or None
        Texts, but for ``pick`` and ``frame``, with ``key`` of the label; with ``origin`` where not all
        are from the pool. None where so many picks of this selector and seed are not published.

    Raises
    ------
    ValueError
        If they were made from another pool, other candidates or by other options, with the difference.
    """
    selector, size, seed = (set_row(name)[key] for key in ("selector", "size", "seed"))
    before = [frame for frames in known.values() for frame in frames]
    order = _order(orders, selector, seed)
    sizes = _sizes(orders, selector, seed)
    if size not in sizes if by_size else len(order) < size:
        return None
    _require_same_pool(orders, pool)
    _require_same(orders, orders.about["selectors"][selector], decides)
    _require_same_roles(orders, roles)
    if by_size:
        own = [*(set_row(other)["size"] for other in known), size]
        _require_same(orders, {"sizes": [n for n in sizes if n <= size]}, {"sizes": own})
    if order["frame"].tolist()[: len(before)] != before:
        raise ValueError(
            f"the smaller sizes of {name} are not the first picks of {orders.folder / ORDER}: remove "
            f"their tables ({', '.join(f'{other}.csv' for other in known)}) to take those, {_OR_ALONE}"
        )
    new = order["set"] == name if by_size else order["pick"].between(len(before), size - 1)
    picks = order[new].drop(columns=list(OF_PUBLISHED)).reset_index(drop=True)
    # columns of other sets
    empty = [c for c in picks if c not in OF_PICKS and (picks[c] == "").all()]
    return picks.drop(columns=empty)


def require_same_labels(folder: Path, decides: dict) -> None:
    """Refuse labels by other settings than those published; nothing where none are.

    Raises
    ------
    ValueError
        With the difference.
    """
    if orders := read_orders(folder):
        _require_same(orders, {"labels": orders.about["labels"]}, {"labels": decides})


def _order(orders: Orders, selector: str, seed: int) -> pd.DataFrame:
    rows = orders.rows[orders.rows["role"] == "train"]
    rows = rows[(rows["selector"] == selector) & (rows["seed"] == str(seed))]
    numbers = {key: rows[key].astype(int) for key in ("pick", "frame")}
    return rows.assign(**numbers).sort_values("pick", kind="stable")


def _sizes(orders: Orders, selector: str, seed: int) -> list[int]:
    rows = [set_row(name) for name in orders.about["sets"] if is_selection(name)]
    own = [row["size"] for row in rows if (row["selector"], row["seed"]) == (selector, seed)]
    return sorted(own)


_OR_ALONE = "or take `published` out of the study to compute all of it"


def _require_same_pool(orders: Orders, pool: Path) -> None:
    published = orders.about["pool"]
    if published["sha256"] != pool_hash(pool):
        raise ValueError(
            f"{pool} ({pool_size(pool)} frames) is not the pool of {orders.folder} "
            f"({published['frames']} frames, sha256 {published['sha256'][:12]}...): take the published "
            f"one (pool: {{generator: files, path: ...}}), {_OR_ALONE}"
        )


def _require_same(orders: Orders, published: dict, own: dict) -> None:
    if found := differences(published, own):
        raise ValueError(
            f"{orders.folder} was published with {'; '.join(found)}: set it equal, {_OR_ALONE}"
        )


def _require_same_roles(orders: Orders, roles: pd.DataFrame) -> None:
    published = orders.rows[orders.rows["set"] == HELD_OUT]
    apart = roles[roles["role"].isin(["test", "validation"])]
    own = dict(zip(apart["frame"].astype(int), apart["role"], strict=True))
    if own != dict(zip(published["frame"].astype(int), published["role"], strict=True)):
        raise ValueError(
            f"test and validation frames are not those of {orders.folder}: have them taken from there "
            f"(`snakemake --forcerun split`), {_OR_ALONE}"
        )


def differences(published, own, key: str = "") -> list[str]:
    """Where plain data differ, a phrase each: ``cutoff_Ry 350, the study has 400``."""
    if isinstance(published, dict) and isinstance(own, dict):
        return [
            phrase
            for name in sorted({*published, *own})
            for phrase in differences(
                published.get(name), own.get(name), f"{key}.{name}" if key else name
            )
        ]
    if published == own:
        return []
    said = ["nothing" if value is None else _short(value) for value in (published, own)]
    return [f"{key} {said[0]}, the study has {said[1]}"]


def _short(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
