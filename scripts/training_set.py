"""Write the training set of one selection and size."""

import pandas as pd

from minset.dataset import labelled, write_dataset


def main(selection, labels, train, store, size: int, threads: int = 1) -> None:
    """Write the first ``size`` picks as extended XYZ."""
    picks = pd.read_csv(selection)["frame"].tolist()[:size]
    write_dataset(train, labelled(picks, pd.read_csv(labels), store, origin=str(selection)))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
