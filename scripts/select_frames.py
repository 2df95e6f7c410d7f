"""Pick the frames worth labelling with one selector."""

import shutil
from pathlib import Path
from pkgutil import resolve_name

import pandas as pd
import torch

from minset.files import file_hash, working_folder, write_csv
from minset.select import SELECTORS
from minset.select.candidates import read_candidates


def main(
    pool,
    descriptors,
    split,
    selection,
    selector: str,
    seed: int,
    size: int,
    options: dict,
    atom_descriptors=None,
    threads: int = 1,
) -> None:
    """Write the picks in order.

    Raises
    ------
    ValueError
        If there are fewer candidates than ``size``.
    """
    torch.set_num_threads(threads)
    roles = pd.read_csv(split)
    chosen = roles[roles["role"] == "candidate"]
    if size > len(chosen):
        raise ValueError(
            f"{size} frames were asked for, {pool} has {len(chosen)} candidates; raise pool.frames or "
            "lower sizes"
        )
    select = resolve_name(SELECTORS[options.get("selector", selector)])
    options = {k: v for k, v in options.items() if k != "selector"}
    identity = {"selector": selector, "seed": seed, "size": size, "options": options}
    identity["inputs"] = [file_hash(path) for path in (pool, descriptors, split)]
    work = working_folder(Path(selection).with_suffix("") / "work", identity)
    candidates = read_candidates(chosen, pool, descriptors, atom_descriptors, work)
    write_csv(selection, select(candidates, size, seed, options))
    shutil.rmtree(work.parent)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
