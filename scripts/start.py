"""Make the liquid from which a simulation starts."""

import ase.io

from minset.files import written_aside
from minset.md.melt import melt


def main(start, system: dict, settings: dict) -> None:
    """Write the start with velocities."""
    atoms = melt(
        system,
        settings["ions"],
        settings["density_g_cm3"],
        settings["temperature_K"],
        settings["melt_ps"],
        settings["seed"],
    )
    with written_aside(start) as aside:
        ase.io.write(aside, atoms)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
