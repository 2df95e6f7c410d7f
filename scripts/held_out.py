"""Write the validation and the test set, which all models of a study share."""

from minset.dataset import labelled, read_label_tables, write_dataset


def main(labels, validation, test, store, failed_share: float) -> None:
    """Write both as extended XYZ."""
    table = read_label_tables(labels)
    for role, path in (("validation", validation), ("test", test)):
        write_dataset(path, labelled(table[table["role"] == role], store, failed_share))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
