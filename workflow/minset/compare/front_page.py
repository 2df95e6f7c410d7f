"""First page of a study's report: is the potential good?

A table for each system, then the figures that carry it.
"""

import math
from base64 import b64encode
from pathlib import Path

import jinja2
import pandas as pd

from minset.compare.summary import EXPERIMENT

TEMPLATE = Path(__file__).parents[2] / "report/front_page.html.jinja"
# what is seen first, as far as a study has it
FIRST_FIGURES = (
    "certificate",
    "density",
    "rdf",
    "learning_curve",
    "stability",
    "surface_energy",
    "coverage",
)
FIGURES_SHOWN = 4
# marks of a value that differs from one of these; all else is a reference potential
_MARKS = {"labels": "‡", EXPERIMENT: "†"}
_REFERENCE = "*"


def front_page(study: str, description: str, systems: dict[str, tuple[Path, list[Path]]]) -> str:
    """Text of the report's first page, in reStructuredText around HTML.

    Parameters
    ----------
    study, description
        Name of the study and what its file says of it.
    systems
        Of each system by its name the table `summary` and the figures there are, as PNG.
    """
    filled = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = filled.from_string(TEMPLATE.read_text()).render(
        study=study,
        description=" ".join(description.split()),
        systems=[
            {"name": name, **_table(pd.read_csv(summary)), "figures": _figures(figures)}
            for name, (summary, figures) in systems.items()
        ],
    )
    # Snakemake fills in what looks like Jinja in the page
    body = "\n".join(f"   {line}" for line in page.splitlines() if line.strip())
    return f".. raw:: html\n\n{body.replace('{{', '{ {').replace('{%', '{ %')}\n"


def _figures(paths: list[Path]) -> list[dict]:
    by_name = {Path(path).stem: path for path in paths}
    shown = [name for name in FIRST_FIGURES if name in by_name][:FIGURES_SHOWN]
    return [
        {"name": name, "data": _lines(b64encode(Path(by_name[name]).read_bytes()).decode())}
        for name in shown
    ]


def _lines(text: str, width: int = 5000) -> str:
    """Docutils refuses lines of more than 10 000 characters; line breaks mean nothing in an address."""
    return "\n".join(text[i : i + width] for i in range(0, len(text), width))


def _table(summary: pd.DataFrame) -> dict:
    """Columns and rows of a summary: a column for each engine, one for all experiments."""
    shown = summary[summary["engine"].notna()].copy()
    shown["column"] = shown["engine"].where(~shown["engine"].str.startswith(EXPERIMENT), EXPERIMENT)
    columns = list(dict.fromkeys(shown["column"]))
    for last in ("labels", EXPERIMENT):
        if last in columns:
            columns.remove(last)
            columns.append(last)
    keys = ["quantity", "unit", "of", "simulation"]
    rows = []
    for key, group in shown.groupby(keys, sort=False, dropna=False):
        quantity, unit, of, simulation = ("" if pd.isna(part) else part for part in key)
        cells = {column: group[group["column"].eq(column)] for column in columns}
        name = (
            quantity + (f" of {of}" if of else "") + (f", {unit}" if unit not in ("", "1") else "")
        )
        rows.append(
            {
                "name": name,
                "simulation": simulation,
                "cells": [", ".join(map(_cell, cells[c].itertuples())) for c in columns],
            }
        )
    marks = {mark for row in rows for cell in row["cells"] for mark in cell if mark in "*†‡"}
    return {
        "columns": columns,
        "rows": sorted(rows, key=lambda row: row["name"] != "certificate"),
        "marks": marks,
        "about": list(summary.loc[summary["engine"].isna(), "note"]),
    }


def _cell(row) -> str:
    if isinstance(row.note, str):
        return row.note
    differs = row.differs_from.split("; ") if isinstance(row.differs_from, str) else []
    marks = "".join(dict.fromkeys(_MARKS.get(name, _REFERENCE) for name in differs))
    return with_error(row.value, row.stderr, row.low, row.high) + marks


def with_error(value: float, stderr=math.nan, low=math.nan, high=math.nan) -> str:
    """A value with its standard error on the last digits, ``1.439(2)``.

    With limits ``0.044 (0.040-0.050)``, with neither three digits; a dash where there is no value.
    """
    if math.isnan(value):
        return "-"
    if not math.isnan(stderr) and stderr > 0:
        exponent = math.floor(math.log10(stderr))
        digits = max(0, -exponent + (1 if stderr / 10**exponent < 1.95 else 0))
        if digits == 0:
            return f"{value:.0f}({stderr:.0f})"
        return f"{value:.{digits}f}({round(stderr * 10**digits)})"
    if not math.isnan(low):
        return f"{value:#.3g} ({low:#.3g}-{high:#.3g})"
    return f"{value:#.3g}" if value != round(value) else f"{value:.0f}"
