"""Summary of a study: what its models give, beside the labels, the reference and the experiment.

A model here is all seeds and members of one selector, kind of model and the largest number of frames.
"""

import math

import pandas as pd

from minset.compare.learning import learning_curve
from minset.names import MOST_SHOWN, is_model, run_row

LABELS, EXPERIMENT = "labels", "experiment"
DIFFUSION = ("diffusion_1e-9_m2_s", "diffusion_stderr_1e-9_m2_s")
CONDUCTIVITY = ("conductivity_S_cm", "conductivity_stderr_S_cm")
# quantity, its unit, table, column, standard error, and the column of what it is of
_MEASURED = (
    ("density", "g/cm^3", "density", "density_g_cm3", "density_stderr_g_cm3", None),
    ("self-diffusion", "1e-9 m^2/s", "diffusion", *DIFFUSION, "species"),
    ("conductivity", "S/cm", "conductivity", *CONDUCTIVITY, None),
    ("first peak", "A", "rdf_peaks", "peak_r_A", "peak_r_stderr_A", "pair"),
    ("height of first peak", "1", "rdf_peaks", "peak_g", "peak_g_stderr", "pair"),
)
OF_SIMULATION = ["simulation", "temperature_K", "engine"]
_OF_CERTIFICATES = ("verdict", "difference", "difference_stderr", "labels", "labels_stderr")
OWN_RUN = (("force_rmse", "eV/A"), ("energy_bias", "meV/atom"))
_ENERGY = "energy_rmse_meV_atom"
COLUMNS = ["quantity", "unit", "of", "simulation", "temperature_K", "engine"]
COLUMNS += ["value", "stderr", "low", "high", "runs", "note", "differs_from"]


def summary(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """All that a study says of its models, a row for each quantity and engine.

    Parameters
    ----------
    tables
        Tables of the study by name: ``errors``, ``selection``, ``labels``, and those of ``stability``,
        ``density``, ``diffusion``, ``conductivity``, ``rdf_peaks`` and ``certificate`` that it has.

    Returns
    -------
    pd.DataFrame
        ``quantity``, ``unit``, ``of`` (species, pair), ``simulation``, ``temperature_K``, ``engine`` (a
        model as ``<selector>, <frames> frames, <kind>``, a potential, ``labels``, or
        ``experiment: <source>``), ``value`` with ``stderr`` (of MD: standard error of one run, or of the
        mean over runs) or the 95 % limits ``low`` and ``high``, number of ``runs``, a ``note`` in words
        (that on labels has no engine), and ``differs_from``: the reference potentials, labels or
        experiments from which a model's value differs beyond both 95 % intervals.
    """
    errors = tables["errors"]
    errors = errors[errors["size"].eq(errors.groupby("selector")["size"].transform("max"))]
    names = _names(errors)
    rows = (
        _labels(tables["labels"])
        + _frames(tables["selection"], errors, names)
        + _errors(errors, names)
    )
    if "stability" in tables:
        rows += _stability(_named(tables["stability"], names))
    if "certificate" in tables:
        rows += _certificates(_named(tables["certificate"], names))
    for quantity, unit, table, column, stderr, of in _MEASURED:
        if table in tables:
            measured = _measured(_named(tables[table], names), column, stderr, of)
            rows += [{"quantity": quantity, "unit": unit} | row for row in measured]
    result = pd.DataFrame(rows).reindex(columns=COLUMNS)
    result["differs_from"] = _differences(result, set(names.values()))
    return result


def _names(errors: pd.DataFrame) -> dict[tuple, str]:
    """Name of each model that is shown, by selector, number of frames and kind."""
    keys = list(
        dict.fromkeys(zip(errors["selector"], errors["size"], errors["model"], strict=True))
    )
    if len(keys) > MOST_SHOWN:
        keys = [key for key in keys if key[2] == keys[0][2]][:MOST_SHOWN]
    several = len({key[2] for key in keys}) > 1
    return {k: f"{k[0]}, {k[1]} frames" + (f", {k[2]}" if several else "") for k in keys}


def _named(table: pd.DataFrame, names: dict[tuple, str]) -> pd.DataFrame:
    """Rows of the engines that are shown, models by their names."""

    def name(engine: str) -> str | None:
        if not is_model(engine):
            return engine
        row = run_row(engine)
        return names.get((row["selector"], row["size"], row["model"]))

    engines = table["engine"].map(name)
    return table.assign(engine=engines)[engines.notna()]


def _labels(labels: pd.DataFrame) -> list[dict]:
    """How many labels there are and what they took, in words."""
    done, seconds = labels["status"].eq("labelled"), labels["seconds"].sum()
    took = f"{seconds / 3600:.1f} h" if seconds > 3600 else f"{seconds:.0f} s"
    note = f"{done.sum()} frames labelled in {took} of the labeler"
    if not done.all():
        note += f", {(~done).sum()} failed"
    return [{"quantity": "labels", "unit": "1", "value": done.sum(), "note": note}]


def _frames(selection: pd.DataFrame, errors: pd.DataFrame, names: dict[tuple, str]) -> list[dict]:
    """Training frames that each selector picked, up to the size shown, averaged over seeds with it."""
    selection = selection.merge(errors[["selector", "seed"]].drop_duplicates())
    picked = selection.groupby("selector")["seed"].agg(lambda seeds: len(seeds) / seeds.nunique())
    return [
        {"quantity": "training frames", "unit": "1", "engine": name, "value": picked[selector]}
        for (selector, _, _), name in names.items()
        if selector in picked
    ]


def _errors(errors: pd.DataFrame, names: dict[tuple, str]) -> list[dict]:
    rows = []
    curve = learning_curve(errors).set_index(["selector", "size", "model"])
    for quantity, column in (("force RMSE", "force_rmse"), ("force L4", "force_l4")):
        for key, name in names.items():
            value, low, high = curve.loc[
                key, [f"{column}{part}_eV_A" for part in ("", "_low", "_high")]
            ]
            runs = int(curve.loc[key, "seeds"])
            limits = {"value": value, "low": low, "high": high, "runs": runs}
            rows.append({"quantity": quantity, "unit": "eV/A", "engine": name} | limits)
    energies = errors.groupby(["selector", "size", "model"])[_ENERGY]
    for key, name in names.items():
        values = energies.get_group(key)
        about = {"quantity": "energy RMSE", "unit": "meV/atom", "engine": name}
        rows.append(about | {"value": values.mean(), "runs": len(values)})
    return rows


def _stability(stability: pd.DataFrame) -> list[dict]:
    """Stable runs of all simulations."""
    rows = []
    for key, group in _grouped(stability, ["engine"]):
        stable = int(group["stable"].sum())
        value = {"value": stable / len(group), "runs": len(group)}
        rows.append({"quantity": "stable runs", "unit": "1"} | key | value)
        rows[-1]["note"] = f"{stable} of {len(group)}"
    return rows


def _measured(table: pd.DataFrame, column: str, stderr: str, of: str | None) -> list[dict]:
    """Rows of a quantity of simulations, by the program that is first in its table."""
    if stderr not in table:  # of a study that began before there were some
        table = table.assign(**{stderr: math.nan})
    experiment = table["engine"].eq(EXPERIMENT)
    first = table.loc[~experiment, "source"].head(1)
    of_simulation = ["simulation", "temperature_K"] + ([of] if of else [])
    rows = []
    ours = table[~experiment & table["source"].isin(first)]
    for key, group in _grouped(ours, [*of_simulation, "engine"]):
        value, error = _mean(group[column], group[stderr])
        rows.append(key | {"value": value, "stderr": error, "runs": len(group)})
    for row in table[experiment].to_dict("records"):
        about = {key: row[key] for key in of_simulation}
        about["engine"] = f"{EXPERIMENT}: {row['source']}"
        rows.append(about | {"value": row[column], "stderr": row[stderr]})
    return [row | {"of": row.get(of, "")} for row in rows]


def _mean(values: pd.Series, stderrs: pd.Series) -> tuple[float, float]:
    """Mean over runs and its standard error: what differs between runs, or at least their own."""
    own = math.sqrt((stderrs**2).sum(skipna=False)) / len(values)
    between = values.std() / math.sqrt(len(values)) if len(values) > 1 else math.nan
    known = [error for error in (own, between) if not math.isnan(error)]
    return values.mean(), max(known, default=math.nan)


def _certificates(table: pd.DataFrame) -> list[dict]:
    """Verdicts, and densities and pressures at the level of the labels, of all models in one."""
    rows = []
    # where no certificate came so far, a table has no such columns
    table = table.reindex(columns=[*dict.fromkeys([*table.columns, *_OF_CERTIFICATES])])
    judged = table[table["verdict"].notna() & table["quantity"].ne("all")]
    whole = table[table["quantity"].eq("all")]
    for key, group in _grouped(whole, OF_SIMULATION):
        of_engine = judged[judged[OF_SIMULATION].eq(pd.Series(key)).all(axis=1)]
        parts = of_engine.groupby("verdict", sort=False)["quantity"].unique()
        note = "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in parts.items())
        note = note.replace("_", " ") or "; ".join(dict.fromkeys(group["verdict"]))
        rows.append({"quantity": "certificate"} | key | {"note": note, "runs": len(group)})
    for quantity, unit in OWN_RUN:
        for key, group in _grouped(table[table["quantity"].eq(quantity)], OF_SIMULATION):
            value, stderr = _mean(group["difference"], group["difference_stderr"])
            name = f"{quantity.replace('_', ' ').replace('rmse', 'RMSE')} on own run"
            about = {"quantity": name, "unit": unit, "runs": len(group)}
            rows.append(about | key | {"value": value, "stderr": stderr})
    known = table[table["quantity"].isin(["density", "pressure"]) & table["labels"].notna()]
    for key, group in _grouped(known, ["quantity", "unit", "simulation", "temperature_K"]):
        value, stderr = _mean(group["labels"], group["labels_stderr"])
        rows.append(key | {"engine": LABELS, "value": value, "stderr": stderr, "runs": len(group)})
    return rows


def _grouped(table: pd.DataFrame, columns: list[str]):
    """Groups of a table in its order, each with its key as a dictionary."""
    for key, group in table.groupby(columns, sort=False, dropna=False):
        yield dict(zip(columns, key, strict=True)), group


def _differences(rows: pd.DataFrame, models: set[str]) -> list[str]:
    """From which of the other columns each model's value differs beyond both 95 % intervals."""
    others: dict[tuple, list] = {}
    keys = ["quantity", "of", "simulation"]
    of_each = [tuple(row) for row in rows[keys].fillna("").itertuples(index=False)]
    for key, row in zip(of_each, rows.itertuples(), strict=True):
        if row.engine not in models and not math.isnan(row.stderr):
            others.setdefault(key, []).append(row)
    found = []
    for key, row in zip(of_each, rows.itertuples(), strict=True):
        there = others.get(key, []) if row.engine in models else []
        differ = [
            other
            for other in there
            if abs(row.value - other.value) > 1.96 * math.hypot(row.stderr, other.stderr)
        ]
        measured = [other for other in there if other.engine.startswith(EXPERIMENT)]
        if not all(other in differ for other in measured):  # experiments that differ: one is enough
            differ = [other for other in differ if other not in measured]
        found.append("; ".join(dict.fromkeys(o.engine.partition(":")[0] for o in differ)))
    return found
