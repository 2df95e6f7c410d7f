"""Write the validation and the test set, which all models of a study share."""

import pandas as pd

from minset.dataset import labelled, write_dataset


def main(pool, split, labels, validation, test, store, threads: int = 1) -> None:
    """Write both as extended XYZ."""
    roles = pd.read_csv(split)
    table = pd.read_csv(labels)
    for role, path in (("validation", validation), ("test", test)):
        frames = roles.loc[roles["role"] == role, "frame"].tolist()
        write_dataset(path, labelled(frames, table, store, origin=str(pool)))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
