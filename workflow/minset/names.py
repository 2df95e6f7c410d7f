"""Names of trained models and of the engines that run them; light to import, for the workflow too."""

import re

MOST_SHOWN = 9
_RUN = re.compile(
    r"(?P<selector>\w+)-n(?P<size>\d+)-s(?P<seed>\d+)-(?P<model>\w+?)(?:-m(?P<member>[2-9]|[1-9]\d+))?"
)


def run_row(run: str) -> dict:
    """What identifies a trained model, as columns: ``selector, size, seed, model, member``.

    Its name is ``<selector>-n<size>-s<seed>-<model>``; from the second member of a committee on,
    ``-m<member>`` follows.
    """
    row = _RUN.fullmatch(run).groupdict(default="1")
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
