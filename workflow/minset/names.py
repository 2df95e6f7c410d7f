"""Names of trained models and of the engines that run them; light to import, for the workflow too."""

import re

HELD_OUT = "held_out"  # the set of test and validation frames
CERTIFICATE = "certificate"  # folder of the sets of frames that models made themselves
MOST_SHOWN = 9
_SET = re.compile(r"(?P<selector>\w+)-n(?P<size>\d+)-s(?P<seed>\d+)")
_RUN = re.compile(
    r"(?P<selector>\w+)-n(?P<size>\d+)-s(?P<seed>\d+)-(?P<model>\w+?)(?:-m(?P<member>[2-9]|[1-9]\d+|ean))?"
)
MEAN = 0  # member number of the mean of a committee


def run_row(run: str) -> dict:
    """What identifies a trained model, as columns: ``selector, size, seed, model, member``.

    Its name is ``<selector>-n<size>-s<seed>-<model>``; from the second member of a committee on,
    ``-m<member>`` follows, and ``-mean`` of an engine that is the mean of all, whose number is 0.
    """
    row = _RUN.fullmatch(run).groupdict(default="1")
    row["member"] = MEAN if row["member"] == "ean" else row["member"]
    return row | {key: int(row[key]) for key in ("size", "seed", "member")}


def is_model(engine: str) -> bool:
    """Whether an engine is a trained model, not a classical potential or the experiment."""
    return _RUN.fullmatch(engine) is not None


def shown_engines(engines: list[str]) -> list[str]:
    """Engines that a figure with one curve or panel per engine shows, in their order.

    All that are no models, and up to nine models. Of more models only the first member of each
    committee, if these are still too many only those of the first seed, then only the largest size,
    then only the first kind of model.
    """
    rows = {engine: run_row(engine) for engine in dict.fromkeys(engines) if is_model(engine)}
    choices = {"member": min, "seed": min, "size": max, "model": lambda names: next(iter(names))}
    for column, best in choices.items():
        if len(rows) > MOST_SHOWN:
            kept = best([row[column] for row in rows.values()])
            rows = {engine: row for engine, row in rows.items() if row[column] == kept}
    return [e for e in dict.fromkeys(engines) if e in rows or not is_model(e)]


def set_name(selector: str, size: int, seed: int) -> str:
    """Name of a training set, and of the frames that its size adds to a selection."""
    return f"{selector}-n{size}-s{seed}"


def set_row(name: str) -> dict:
    """Selector, size and seed of a set or a training set."""
    row = _SET.fullmatch(name).groupdict()
    return row | {"size": int(row["size"]), "seed": int(row["seed"])}


def certificate_name(simulation: str, run: str) -> str:
    """Name of the set of frames of a trained model's own simulation, by which it is certified."""
    return f"{CERTIFICATE}/{simulation}/{run}"


def certificate_row(name: str) -> dict | None:
    """Simulation and trained model (``run``) of such a set; None for other sets."""
    folder, *rest = name.split("/")
    return dict(zip(("simulation", "run"), rest, strict=True)) if folder == CERTIFICATE else None


def run_name(dataset: str, model: str, member: int) -> str:
    """Name of a trained model; the first member of a committee has the name of a single model."""
    ending = {MEAN: "-mean", 1: ""}.get(member, f"-m{member}")
    return f"{dataset}-{model}{ending}"


def dataset_of(run: str) -> str:
    """Training set of a trained model."""
    row = run_row(run)
    return set_name(row["selector"], row["size"], row["seed"])
