"""What an exported model is, how good it is and where it may be used: Markdown, made from results."""

import json
from pathlib import Path

import pandas as pd

from minset import __version__
from minset.label.store import Label
from minset.published.card import flat_rows, how_labelled, ranges_of

_LICENCE = """\
The data and the model are licensed under
[CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/).{gap} Cite the paper that describes them,
if there is one; else "{run}, minset {version}, study {study}" with the hash of `SHA256SUMS`. Cite
minset's method, J. Finkbeiner, S. Tovey, C. Holm, Phys. Rev. Lett. 132, 167301 (2024), and the codes
named above."""
_OF_GAP = " quippy's GAP is for academic, non-commercial work."


def card_text(
    about: dict,
    description: dict,
    labels: dict[str, list[Label]],
    errors: pd.DataFrame,
    verdicts: dict[str, dict],
    certificates: dict[str, pd.DataFrame],
) -> str:
    """Card of a model and its data.

    Parameters
    ----------
    about
        ``study``, ``description``, ``system``, ``run``, ``training`` (as of ``Study.training``), ``pool``
        and ``simulations`` (settings by name).
    description
        The model's own, ``model.json``.
    labels
        Of ``train``, ``validation`` and ``test``.
    errors
        Of the model on the test frames, a row.
    verdicts, certificates
        Of simulations by their names, those that there are.
    """
    every = [label for part in labels.values() for label in part]
    sections = {
        f"{about['run']}: a model of {about['system']} and its data": [
            about["description"].strip()
        ],
        "The model": _model(about, description),
        "The data": [_counts(labels), "", *how_labelled(every)],
        "Where it was trained": [*ranges_of(labels["train"]), "", *_sampled(about["pool"])],
        "Errors on test frames": _errors(errors, len(labels["test"])),
        "Simulations": _simulations(about["simulations"], verdicts),
        "Certificate": _certificates(certificates),
        "Licence and citation": [
            _LICENCE.format(
                gap=_OF_GAP if description.get("kind") == "gap" else "",
                version=__version__,
                run=about["run"],
                study=about["study"],
            )
        ],
        "Checksums": ["`SHA256SUMS` has one for each file: `sha256sum -c SHA256SUMS`."],
    }
    parts = [
        f"{'#' if place == 0 else '##'} {title}\n\n" + "\n".join(lines)
        for place, (title, lines) in enumerate(sections.items())
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: dict) -> list[str]:
    lines = [f"| `{key}` | {_shown(value)} |" for key, value in rows.items()]
    return ["| | |", "|---|---|", *lines]


def _shown(value) -> str:
    """Floats in four digits; a bar would end the cell."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")


def _model(about: dict, description: dict) -> list[str]:
    settings = dict(about["training"]["settings"])
    rows = dict(flat_rows(settings))
    rows |= {f"training.{key}": value for key, value in about["training"]["training"].items()}
    rows["seed"] = about["training"]["seed"]
    own = description.get("training", {})
    rows |= {key: own[key] for key in ("epochs", "best_epoch", "stopped") if key in own}
    hyper = description.get("hyper", description.get("settings", {}))
    rows |= {f"floor_A.{pair}": end for pair, end in hyper.get("floor_A", {}).items()}
    offsets = description.get("energy_offsets_eV", {})
    rows["elements"] = ", ".join(_symbol(int(z)) for z in sorted(offsets, key=int))
    return [f"Made by minset {__version__}, study `{about['study']}`.", "", *_table(rows)]


def _symbol(number: int) -> str:
    from ase.data import chemical_symbols

    return chemical_symbols[number]


def _counts(labels: dict[str, list[Label]]) -> str:
    counts = ", ".join(f"{len(part)} for {name}" for name, part in labels.items())
    kept = [label for part in labels.values() for label in part]
    stress = sum(label.stress_eV_A3 is not None for label in kept)
    net = max(label.provenance.get("net_force_eV_A", 0.0) for label in kept)
    return (
        f"Labelled frames: {counts}; {stress} of them know their stress. Largest net force on a cell: "
        f"{net:.2g} eV/A."
    )


def _sampled(pool: dict) -> list[str]:
    return ["The frames are chosen from a pool:", "", *_table(dict(flat_rows(pool)))]


def _errors(errors: pd.DataFrame, frames: int) -> list[str]:
    row = errors.select_dtypes("number").iloc[0].to_dict()
    return [
        f"On {frames} frames that neither training nor selection saw. Root mean squared, mean absolute, "
        "fourth-power mean and largest errors of force components; of energies.",
        "",
        *_table({key: float(value) for key, value in row.items()}),
    ]


def _simulations(settings: dict, verdicts: dict[str, dict]) -> list[str]:
    if not verdicts:
        return ["None in the results: whether it runs stably was not tried."]
    lines = ["| simulation | K | bar | ps | stable | |", "|---|---|---|---|---|---|"]
    for name, verdict in verdicts.items():
        given = settings[name]
        cells = [
            name,
            given.get("temperature_K", ""),
            given.get("pressure_bar", ""),
            f"{verdict['reached_ps']:.4g}",
            "yes" if verdict["stable"] else "no",
            verdict.get("reason") or "",
        ]
        lines.append(f"| {' | '.join(_shown(cell) for cell in cells)} |")
    return lines


def _certificates(tables: dict[str, pd.DataFrame]) -> list[str]:
    if not tables:
        return ["None in the results: frames of its own simulations were not labelled."]
    columns = [
        "quantity",
        "unit",
        "difference",
        "difference_stderr",
        "tolerance",
        "verdict",
        "reason",
    ]
    lines = [
        "The model against labels of frames of its own simulation.",
        "",
        "| simulation | quantity | unit | difference | +- | tolerance | verdict | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, table in tables.items():
        for row in table.reindex(columns=columns).to_dict("records"):
            cells = ["" if pd.isna(value) else _shown(value) for value in row.values()]
            lines.append(f"| {' | '.join([name, *cells])} |")
    return lines


def read_description(folder: Path) -> dict:
    """What a model says of itself."""
    from minset.model.record import DESCRIPTION

    return json.loads((Path(folder) / DESCRIPTION).read_text())
