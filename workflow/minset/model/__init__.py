"""Models: potentials trained from a dataset.

A new one is a module with a function ``train(train, validation, settings, training, seed, folder,
threads, provenance)``, one line here, and one in ``minset.model.evaluators``, which makes its force
calls. Functions are named as strings for ``pkgutil.resolve_name``: knowing them imports no torch.
"""

from typing import NamedTuple


class Model(NamedTuple):
    """A kind of model. The first of its files says to ``minset.model.evaluators`` what it is."""

    train: str
    files: tuple[str, ...]  # what tests and simulations take
    reference_files: tuple[str, ...]  # what simulations with ``engine: schnetpack`` take


_GAP_FILES = ("gap.xml", "model.json")
MODELS = {
    "schnet": Model(
        "minset.model.schnet.train:train_schnet", ("compressed.npz",), ("model.pt", "model.json")
    ),
    "gap": Model("minset.model.gap:train_gap", _GAP_FILES, _GAP_FILES),
}
