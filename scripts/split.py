"""Set test and validation frames of a pool apart."""

import numpy as np
import pandas as pd

from minset.files import write_csv


def main(summary, split, test: dict, validation: dict, threads: int = 1) -> None:
    """Write the MD run and the role of each frame: test, validation or candidate."""
    pool = pd.read_csv(summary)
    frames = pool["frame"].to_numpy()
    roles = np.full(len(frames), "candidate", dtype=object)
    for role, drawn in (("test", test), ("validation", validation)):
        free = np.flatnonzero(roles == "candidate")
        chosen = np.random.default_rng(drawn["seed"]).choice(free, drawn["frames"], replace=False)
        roles[chosen] = role
    write_csv(split, pd.DataFrame({"frame": frames, "run": pool["run"], "role": roles}))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
