"""Write the training set of one selection and size."""

from minset.dataset import labelled, read_label_tables, write_dataset


def main(labels, train, store, failed_share: float) -> None:
    """Write the picks of all sizes up to this one, in their order, as extended XYZ."""
    table = read_label_tables(labels)
    write_dataset(train, labelled(table, store, failed_share))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
