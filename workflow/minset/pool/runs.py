"""The table of a pool's runs."""

import pandas as pd


def runs_table(tables: list[pd.DataFrame], failed_share: float, advice: str) -> pd.DataFrame:
    """Rows of all runs of a pool, with their numbers.

    Parameters
    ----------
    tables
        One row each: ``name``, ``temperature_start_K``, ``temperature_end_K``, ``pressure_bar``,
        ``frames``, ``status`` ("sampled" or "failed"), ``reason`` of a failure or of what is left
        out, mean ``density_g_cm3``.
    failed_share
        Share of runs that may fail.
    advice
        What to do where more did.

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
            f"{len(failed)} of {len(rows)} runs of the pool give no frames, the study allows "
            f"{failed_share:.0%} (pool.failed_share):\n{lines}\n{advice}"
        )
    if len(failed):
        print(f"{len(failed)} of {len(rows)} runs give no frames and are left out:\n{lines}")
    for row in rows[rows["status"] == "sampled"].itertuples():
        if isinstance(row.reason, str) and row.reason:
            print(f"{row.name}: {row.reason}")
    return rows


def distribution(summary: pd.DataFrame) -> list[str]:
    """What a pool covers, a line for each quantity that its frames know.

    Parameters
    ----------
    summary
        As of ``minset.pool.store.summary``.

    Returns
    -------
    list of str
        Lowest, 5 %, median, 95 % and highest value.
    """
    lines = []
    for name in ("temperature_K", "pressure_bar", "density_g_cm3", "potential_energy_eV_atom"):
        values = summary[name].dropna()
        if len(values):
            parts = ", ".join(f"{v:.5g}" for v in values.quantile([0, 0.05, 0.5, 0.95, 1]))
            lines.append(f"{name} (lowest, 5 %, median, 95 %, highest): {parts}")
    return lines
