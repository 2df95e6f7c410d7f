"""README of a published folder: a part made from the results, and beside it what people write."""

import numpy as np

from minset.label.store import Label
from minset.names import HELD_OUT, certificate_row, set_row
from minset.published.decides import published_sets
from minset.published.frames import FAILURES, LABELS
from minset.published.models import MODELS
from minset.published.orders import ABOUT, ORDER, is_selection
from minset.published.publish import Results
from minset.units import GPA_EV_A3, density_g_cm3

README = "README.md"
BEGIN = "<!-- made by `make publish`: what stands between these lines is written again -->"
_UNFINISHED = "Labelling is not finished: frames that are chosen and have no label yet"
END = "<!-- end of what `make publish` writes -->"


def card_text(before: str | None, results: Results) -> str:
    """Text of the README with a new part between the marks; what else stands in it stays.

    Parameters
    ----------
    before
        Text that is there; None for a first one, which gets a heading and the study's description.
    results
        What is published.

    Raises
    ------
    ValueError
        If there is one mark without the other.
    """
    if before is None:
        description = results.study.settings["description"].strip()
        before = f"# {results.study.name}\n\n{description}\n\n{BEGIN}\n{END}\n"
    if (BEGIN in before) != (END in before) or before.count(BEGIN) > 1:
        raise ValueError(
            f"of the two marks `{BEGIN}` and `{END}` one is missing, or there are more"
        )
    if BEGIN not in before:
        before = f"{before.rstrip()}\n\n{BEGIN}\n{END}\n"
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{made_part(results)}\n{END}{tail}"


def made_part(results: Results) -> str:
    """What is published, in numbers: Markdown."""
    study, labels = results.study, list(results.labels.values())
    done = not results.missing and set(published_sets(study)) <= results.rows.keys()
    lines = [
        "## What it is",
        "",
        _counted(results) + ("" if done else f" {_UNFINISHED}, {len(results.missing)}."),
        "",
        "| file | content |",
        "|---|---|",
        f"| `{LABELS}` | every labelled frame: positions (A), energy (eV), forces (eV/A), stress "
        "(eV/A^3, positive for tension); `label` has its key, labeler, settings, version, seconds, "
        "SCF steps and net force (eV/A) |",
    ]
    if results.failures:
        lines.append(f"| `{FAILURES}` | frames without a label, and why |")
    lines += [
        f"| `{ORDER}` | test and validation frames and the picks of each selector in their order; "
        "`frame` is the number in the pool, `key` that of the label |",
        f"| `{ABOUT}` | what decided them: pool, options, settings of the labeler |",
        "| tables, figures | those of the study |",
    ]
    if any(map(certificate_row, results.rows)):
        lines.append(f"| `{MODELS}/` | the trained models that have certificates |")
    lines += [
        "",
        f"`snakemake --cores all --config study={study.name}` takes the labels into the store and "
        "makes all tables and figures from them; numbers keep every digit.",
    ]
    if labels:
        lines += [
            "",
            "## How it was made",
            "",
            *how_labelled(labels),
            "",
            "## Ranges",
            "",
            *ranges_of(labels),
        ]
    lines += ["", "## Failed frames", "", *_failed(results)]
    if labels:
        lines += ["", "## Cost", "", _cost(results)]
    lines += [
        "",
        "## Licence and citation",
        "",
        "The data are licensed under [CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/). Cite "
        "minset as in `CITATION.cff` of this repository, with the name of this folder, and the codes "
        "named above.",
    ]
    return "\n".join(lines)


def _counted(results: Results) -> str:
    roles = results.rows[HELD_OUT]["role"].value_counts() if HELD_OUT in results.rows else {}
    selectors = dict.fromkeys(set_row(n)["selector"] for n in results.rows if is_selection(n))
    return (
        f"{len(results.labels)} labelled frames of {results.system}: {roles.get('test', 0)} for tests, "
        f"{roles.get('validation', 0)} for validation, the others chosen by "
        f"{', '.join(f'`{name}`' for name in selectors) or 'no selector yet'}."
    )


def how_labelled(labels: list[Label]) -> list[str]:
    """Codes and settings; those that are not the same in all labels, each."""
    codes = sorted(
        {(label.provenance["labeler"], str(label.provenance.get("version"))) for label in labels}
    )
    settings: dict[str, set[str]] = {}
    for label in labels:
        for key, value in flat_rows(label.provenance["settings"]):
            settings.setdefault(key, set()).add(str(value))
    lines = ["| | |", "|---|---|"]
    lines += [f"| labeler `{labeler}` | {version} |" for labeler, version in codes]
    return lines + [f"| `{k}` | {listed(settings[k])} |" for k in sorted(settings)]


def listed(values: set[str]) -> str:
    """Up to four of some words."""
    shown = sorted(values)
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} others" if shown[4:] else "")


def flat_rows(settings: dict, before: str = ""):
    """Keys of nested settings, joined with dots, and their values."""
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from flat_rows(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def ranges_of(labels: list[Label]) -> list[str]:
    """Compositions, and the least, mean and largest of what labelled frames are: Markdown."""
    atoms = [label.atoms for label in labels]
    forces = [np.linalg.norm(label.forces_eV_A, axis=1) for label in labels]
    rms = np.sqrt(np.mean(np.concatenate([label.forces_eV_A for label in labels]) ** 2))
    rows = {
        "volume of the cell, A^3": [a.cell.volume for a in atoms],
        "density, g/cm^3": [density_g_cm3(a.get_masses().sum(), a.cell.volume) for a in atoms],
        "energy, eV/atom": [label.energy_eV / len(label.atoms) for label in labels],
        "size of the force on an atom, eV/A": np.concatenate(forces),
        "net force on the cell, eV/A": [label.provenance["net_force_eV_A"] for label in labels],
    }
    stresses = [label.stress_eV_A3 for label in labels if label.stress_eV_A3 is not None]
    if stresses:
        rows["pressure without that of motion, GPa"] = [
            -np.trace(s) / 3 / GPA_EV_A3 for s in stresses
        ]
    formulas = sorted({a.get_chemical_formula() for a in atoms})
    lines = [
        f"Compositions: {listed(set(formulas))}. Forces: {rms:.4g} eV/A rms of the components."
    ]
    lines += ["", "| | least | mean | largest |", "|---|---|---|---|"]
    return lines + [
        f"| {name} | {np.min(v):.6g} | {np.mean(v):.6g} | {np.max(v):.6g} |"
        for name, v in rows.items()
    ]


def _failed(results: Results) -> list[str]:
    if not results.failures:
        return ["None."]
    return [f"- `{key}`: {failure.reason}" for key, failure in sorted(results.failures.items())]


def _cost(results: Results) -> str:
    labels = results.labels.values()
    hours = sum(label.provenance["seconds"] for label in labels) / 3600
    cores = results.study.settings["labels"]["cores"]
    steps = [label.provenance["scf_steps"] for label in labels if "scf_steps" in label.provenance]
    text = f"{hours * cores:.3g} core hours ({hours:.3g} hours of calculations of {cores} core(s) each)"
    return text + (f", {np.mean(steps):.3g} SCF steps a frame." if steps else ".")
