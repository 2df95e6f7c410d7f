"""Write the validation and the test set, which all models of a study share."""

import pandas as pd

from minset.dataset import labelled, write_dataset


def main(labels, validation, test, store, failed_share: float) -> None:
    """Write both as extended XYZ."""
    table = pd.concat(map(pd.read_csv, labels), ignore_index=True)
    for role, path in (("validation", validation), ("test", test)):
        write_dataset(path, labelled(table[table["role"] == role], store, failed_share))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
