"""Make the configuration from which a simulation starts."""

import ase.io

from minset.files import written_aside
from minset.md.melt import melt
from minset.md.start import start_from_pool


def main(start, system: dict, settings: dict, pool=()) -> None:
    """Write a melt with velocities, or a frame of the pool where there is one."""
    if pool:
        atoms = start_from_pool(system, pool[0], settings["ions"], settings["density_g_cm3"])
    else:
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
