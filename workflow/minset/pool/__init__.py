"""Pool generators: where candidate frames come from.

A new one is a module with a ``RECORD`` (see ``minset.pool.record``) and one line here. A run of a plan
holds its ``name``, unique in the pool and fit for a file name; those of ``files`` the ``paths``; those of
``entropy`` ``K_eV``, ``density_g_cm3``, ``seed`` and the options of its cycles; those of molecular
dynamics, which ``minset.pool.npt`` carries out, ``temperature_K`` [start, end], ``pressure_bar``,
``seed``, ``ions``, ``timestep_fs``, ``equilibration_ps`` (at the first temperature, not sampled),
``duration_ps`` and ``frames``, and ``start``, "crystal", where it begins with that. Runs of ``grem`` have
``bath_K``, ``lambda_K``, ``eta_K_per_eV_atom`` and ``enthalpy_eV_atom`` instead of temperatures.
"""

from minset.pool import entropy, files, grem, multicanonical, npt_grid, npt_ramp, transferred
from minset.pool.record import Generator

GENERATORS: dict[str, Generator] = {
    "entropy": entropy.RECORD,
    "files": files.RECORD,
    "grem": grem.RECORD,
    "multicanonical": multicanonical.RECORD,
    "npt_grid": npt_grid.RECORD,
    "npt_ramp": npt_ramp.RECORD,
    "transferred": transferred.RECORD,
}
