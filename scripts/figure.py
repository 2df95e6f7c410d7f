"""Draw one figure."""

from pkgutil import resolve_name

from minset.figures import FIGURES
from minset.figures.style import save


def main(
    pdf,
    png,
    name: str,
    system: dict,
    rows: list,
    tables=(),
    **files,
) -> None:
    """Write the figure as PDF and PNG."""
    draw = resolve_name(FIGURES[name].draw)
    save(draw(system, files, list(zip(tables, rows, strict=True))), pdf, png)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
