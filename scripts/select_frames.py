"""Pick the frames worth labelling with one selector."""

import shutil
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pandas as pd
import torch

from minset.files import file_hash, working_folder, write_csv
from minset.select import SELECTORS
from minset.select.candidates import Candidates


def main(
    pool,
    descriptors,
    split,
    selection,
    selector: str,
    seed: int,
    size: int,
    options: dict,
    threads: int = 1,
) -> None:
    """Write the picks in order."""
    torch.set_num_threads(threads)
    roles = pd.read_csv(split)
    chosen = roles[roles["role"] == "candidate"]
    frames = chosen["frame"].to_numpy()
    rows = np.load(descriptors, allow_pickle=False, mmap_mode="r")[frames]
    select = resolve_name(SELECTORS[options.get("selector", selector)])
    options = {k: v for k, v in options.items() if k != "selector"}
    identity = {"selector": selector, "seed": seed, "size": size, "options": options}
    identity["inputs"] = [file_hash(path) for path in (pool, descriptors, split)]
    work = working_folder(Path(selection).with_suffix("") / "work", identity)
    candidates = Candidates(frames, rows, chosen["run"].to_numpy(), Path(pool), work)
    write_csv(selection, select(candidates, size, seed, options))
    shutil.rmtree(work.parent)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
