"""Pick the frames worth labelling with one selector."""

from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pandas as pd
import torch

from minset.files import write_csv
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
    frames = roles.loc[roles["role"] == "candidate", "frame"].to_numpy()
    rows = np.load(descriptors, allow_pickle=False, mmap_mode="r")[frames]
    select = resolve_name(SELECTORS[options.get("selector", selector)])
    options = {k: v for k, v in options.items() if k != "selector"}
    write_csv(selection, select(Candidates(frames, rows, Path(pool)), size, seed, options))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
