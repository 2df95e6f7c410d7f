"""Compare the selectors of a study in one table."""

import pandas as pd

from minset.compare.learning import (
    against_random,
    frames_needed,
    learning_curve,
    stable_fraction,
)
from minset.files import write_csv


def main(
    table, name: str, baseline: str | None, errors=None, stability=None, threads: int = 1
) -> None:
    """Write the table of a name; the random selector `baseline` is what others are compared with."""
    errors = errors and pd.read_csv(errors)
    stability = stability and pd.read_csv(stability)
    if name == "learning_curve":
        content = learning_curve(errors)
    elif name == "stable_fraction":
        content = stable_fraction(stability)
    elif name == "against_random":
        content = against_random(errors, stability, baseline)
    else:
        content = frames_needed(learning_curve(errors), baseline)
    write_csv(table, content)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
