"""Figures of a study.

A figure is ``draw(system, files, tables) -> matplotlib Figure``: ``files`` are its single inputs by
name, ``tables`` pairs of a path and the columns that say which run it is from. A new one is a
function, one line here and its inputs in ``figure_files`` of ``workflow/rules/common.smk``.
"""

FIGURES = {
    "pool": "minset.figures.data:pool",
    "novelty": "minset.figures.data:novelty",
    "loss": "minset.figures.model:loss",
    "parity": "minset.figures.model:parity",
    "learning_curve": "minset.figures.selectors:learning_curve",
    "selector_errors": "minset.figures.selectors:selector_errors",
    "distributions": "minset.figures.selectors:distributions",
    "rdf_selectors": "minset.figures.selectors:rdf_selectors",
    "stability": "minset.figures.simulation:stability",
    "rdf": "minset.figures.simulation:rdf",
    "msd": "minset.figures.simulation:msd",
    "transport": "minset.figures.simulation:transport",
    "density": "minset.figures.simulation:density",
}
