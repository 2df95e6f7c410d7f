"""Tables of a study: rows of many runs side by side."""

import pandas as pd


def collected(paths: list[str], rows: list[dict]) -> pd.DataFrame:
    """Tables of several runs in one, each with the columns that say which run it is from.

    Parameters
    ----------
    paths
        CSV files; one without rows (a run that broke) adds nothing.
    rows
        For each file what identifies it, e.g. ``{"simulation": ..., "engine": ...}``.
    """
    tables = []
    for path, row in zip(paths, rows, strict=True):
        table = pd.read_csv(path).drop(columns=list(row), errors="ignore")
        for position, (key, value) in enumerate(row.items()):
            table.insert(position, key, value)
        tables.append(table)
    filled = [t for t in tables if len(t)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]
