"""The table of a pool's runs."""

import pandas as pd

AMBIENT_BAR = 2000  # up to which pressure a liquid has its density at 1 bar, to a few per cent
DENSITY_OFF = 0.15


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


def density_doubts(rows: pd.DataFrame, fits: list[dict]) -> list[str]:
    """Runs near ambient pressure that are far from the measured density, a line each.

    A potential may be wrong by so much that its pool does not hold the liquid that is wanted.

    Parameters
    ----------
    rows
        As of `runs_table`.
    fits
        ``reference.density`` of the system; the first is taken, as a line beyond its range too.
    """
    lines = []
    for row in rows.itertuples() if fits else ():
        if row.status != "sampled" or not row.pressure_bar <= AMBIENT_BAR:
            continue
        temperature = (row.temperature_start_K + row.temperature_end_K) / 2
        usual = fits[0]["a_g_cm3"] - fits[0]["b_g_cm3_K"] * temperature
        if usual > 0 and abs(off := row.density_g_cm3 / usual - 1) > DENSITY_OFF:
            lines.append(
                f"{row.name}: {row.density_g_cm3:.3g} g/cm^3 at {temperature:.0f} K, {abs(off):.0%} "
                f"{'less' if off < 0 else 'more'} than {fits[0]['name']} ({usual:.3g}); a pool shall "
                "hold the densities that simulations have: another pool.pressure_bar brings it there"
            )
    return lines


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
