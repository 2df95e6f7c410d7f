"""Write a trained model and its data as a folder for whoever has no part in the workflow."""

from pathlib import Path


def main(
    model: list,
    train,
    validation,
    test,
    errors,
    verdicts: list,
    certificates: list,
    folder,
    store,
    about: dict,
) -> None:
    """Write the folder.

    Parameters
    ----------
    model
        Files of the trained model.
    train, validation, test
        Datasets, extended XYZ.
    errors
        Table of the model's errors on the test set.
    verdicts, certificates
        Of the simulations that the model has run: ``.../<simulation>/<run>/<file>``.
    folder
        To be written.
    store
        Label store.
    about
        See ``minset.export.card.card_text``.
    """
    from minset.export.folder import write_export

    write_export(
        Path(folder),
        Path(model[0]).parent,
        {"train": Path(train), "validation": Path(validation), "test": Path(test)},
        Path(store),
        about,
        Path(errors),
        _by_simulation(verdicts),
        _by_simulation(certificates),
    )


def _by_simulation(paths) -> dict[str, Path]:
    """Files of simulations by the names of these."""
    paths = [paths] if isinstance(paths, str) else paths
    return {Path(path).parents[1].name: Path(path) for path in paths}


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
