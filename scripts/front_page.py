"""Write what the report of a study opens with."""

from minset.compare.front_page import front_page
from minset.files import write_text


def main(summaries, figures, page, study: str, description: str, systems: list) -> None:
    """The page from the summary and the figures of each system, which are in the order of the systems."""
    per_system = len(figures) // len(systems)
    parts = {
        system: (summaries[i], figures[i * per_system : (i + 1) * per_system])
        for i, system in enumerate(systems)
    }
    write_text(page, front_page(study, description, parts))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
