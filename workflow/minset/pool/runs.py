"""The table of a pool's runs."""

import pandas as pd


def runs_table(tables: list[pd.DataFrame], failed_share: float) -> pd.DataFrame:
    """Rows of all runs of a pool, with their numbers.

    Parameters
    ----------
    tables
        One row each: ``name``, ``temperature_start_K``, ``temperature_end_K``, ``pressure_bar``,
        ``frames``, ``status`` ("sampled" or "failed"), ``reason``, mean ``density_g_cm3``.
    failed_share
        Share of runs that may fail.

    Returns
    -------
    pandas.DataFrame
        The rows in the given order, after their number ``run``.

    Raises
    ------
    ValueError
        If a larger share failed, or every run; with names, reasons and remedies.
    """
    rows = pd.concat(tables, ignore_index=True)
    rows.insert(0, "run", range(len(rows)))
    failed = rows[rows["status"] == "failed"]
    lines = "\n".join(f"  {row.name}: {row.reason}" for row in failed.itertuples(index=False))
    if len(failed) > failed_share * len(rows) or len(failed) == len(rows):
        raise ValueError(
            f"{len(failed)} of {len(rows)} runs of the pool are no liquid, the study allows "
            f"{failed_share:.0%} (pool.failed_share):\n{lines}\n"
            "What boils needs a lower temperature, a higher pressure or more pool.ions; what is not "
            "liquid a higher temperature, or a longer pool.duration_ps if that is very short; what "
            "breaks otherwise a shorter pool.timestep_fs (NaF, LiF and KF have a low barrier against "
            "collapse)"
        )
    if len(failed):
        print(f"{len(failed)} of {len(rows)} runs are no liquid and left out:\n{lines}")
    return rows
