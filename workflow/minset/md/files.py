"""The files of an MD run.

A run's folder holds ``trajectory.lammpstrj`` (wrapped and unwrapped coordinates), ``thermo.csv``,
``verdict.json`` once it has ended, and two alternating LAMMPS restart files while it goes on. Of a run
that broke, the last of them from before the break stays as ``last-good.restart``.
"""

import errno
import os
from pathlib import Path

import pandas as pd

from minset.files import write_csv

TRAJECTORY, THERMO = "trajectory.lammpstrj", "thermo.csv"
VERDICT, FINAL = "verdict.json", "final.extxyz"
LAST_GOOD = "last-good.restart"
THERMO_COLUMNS = {
    "time_ps": "time",
    "temperature_K": "temp",
    "pressure_bar": "press",
    "density_g_cm3": "density",
    "volume_A3": "vol",
    "potential_energy_eV": "pe",
    "total_energy_eV": "etotal",
    "conserved_energy_eV": "econserve",
}
# of runs with the mean of a committee: the largest standard deviation of the force on an atom
SPREAD_COLUMN = "force_spread_eV_A"


def read_thermo(folder: Path) -> pd.DataFrame:
    """Rows of thermo.csv, each time once: LAMMPS repeats a row where two chunks meet."""
    if not (folder / THERMO).exists():
        return pd.DataFrame(columns=list(THERMO_COLUMNS))
    try:
        rows = pd.read_csv(folder / THERMO, on_bad_lines="skip")
        columns = [*THERMO_COLUMNS, *({SPREAD_COLUMN} & set(rows))]
        rows = rows.dropna(subset=columns[-2:])[columns].astype(float)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{folder / THERMO} is damaged ({error}); remove {folder}") from error
    return rows.drop_duplicates("time_ps", keep="last")


def forget_beyond(folder: Path, step: int, timestep_fs: float) -> None:
    """Cut what a killed run wrote after its last restart file; LAMMPS writes that step again."""
    trajectory, thermo = folder / TRAJECTORY, folder / THERMO
    if step == 0:
        trajectory.unlink(missing_ok=True)
        thermo.unlink(missing_ok=True)
        return
    trajectory.touch()  # LAMMPS may have stopped before its first frame
    with open(trajectory, "rb+") as file:
        keep = 0
        while line := file.readline():
            if line.startswith(b"ITEM: TIMESTEP"):
                number = file.readline()
                if not number.endswith(b"\n") or int(number) >= step:
                    break
            keep = file.tell()
        file.truncate(keep)
    rows = read_thermo(folder)
    write_csv(thermo, rows[rows["time_ps"] < (step - 0.5) * timestep_fs / 1000])


def raise_if_disk(error: Exception, folder: Path) -> None:
    """Raise OSError where LAMMPS could not write a file: that says nothing about the dynamics."""
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOENT):
        if os.strerror(code) in str(error):
            raise OSError(code, f"LAMMPS cannot write to {folder}: {os.strerror(code)}") from error
    if "I/O error" in str(error):
        raise OSError(errno.EIO, f"LAMMPS cannot write to {folder}: {error}") from error
