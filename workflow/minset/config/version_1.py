"""Study and system files of version 0.1 in today's form."""

import copy

_FORM = "born-mayer-huggins-tosi-fumi"


def upgraded(content, kind: str) -> tuple:
    """Content of a file, in today's form if it was written for version 0.1.

    Parameters
    ----------
    content
        Of a file, whatever it is; it stays as it is.
    kind
        ``study`` or ``system``.

    Returns
    -------
    content, renamed
        ``renamed`` has a text for each key that was changed; it is empty for today's files.
    """
    if not isinstance(content, dict):
        return content, []
    content = copy.deepcopy(content)
    return content, {"study": _study, "system": _system}[kind](content)


def _study(content: dict) -> list[str]:
    """Change a study in place, if a key shows that it is of version 0.1."""
    labels, renamed = content.get("labels"), []
    if not isinstance(labels, dict):
        return []
    if "batches" in labels and "frames_per_job" not in labels:
        del labels["batches"]
        renamed.append("labels.batches is labels.frames_per_job, the frames of a job (16)")
    if labels.get("labeler") == "lammps":
        labels["labeler"] = "potential"
        renamed.append("labels.labeler: lammps is potential")
    simulations = content.get("simulations")
    for name, simulation in simulations.items() if isinstance(simulations, dict) else ():
        npt = isinstance(simulation, dict) and simulation.get("ensemble") == "npt"
        # 0.1 looked at observables in runs at constant volume alone
        if renamed and npt and simulation.pop("observables", None) is not None:
            renamed.append(f"simulations.{name}.observables had no effect in npt")
    return renamed


def _system(content: dict) -> list[str]:
    """Change a system file in place, if its potential has the form of version 0.1."""
    old = content.get("potential")
    if not isinstance(old, dict) or old.get("form") != _FORM or "potentials" in content:
        return []
    value = {"potential": "tosi_fumi"} | {k: v for k, v in old.items() if k != "form"}
    del content["potential"]
    content["potentials"] = {
        "bmhtf": value,
        "bmhtf-published-sign": copy.deepcopy(value) | {"published_sign": True},
    }
    return ["potential is potentials.bmhtf and potentials.bmhtf-published-sign, form is potential"]
