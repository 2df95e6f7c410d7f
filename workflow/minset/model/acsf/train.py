"""Training of networks on symmetry functions, by the loop of ``minset.model.training``."""

from pathlib import Path

import torch
from ase import Atoms

from minset.files import write_csv
from minset.model.acsf import HISTORY
from minset.model.acsf.architecture import build_model, hyper_of, save_model
from minset.model.acsf.batches import Batches
from minset.model.acsf.predict import Standardized
from minset.model.offsets import energy_offsets, require_trained, species_energies
from minset.model.repulsion import with_floor
from minset.model.training import CHECKPOINT, description_of, energies_left, fit


def train_acsf(
    train: list[Atoms],
    validation: list[Atoms],
    settings: dict,
    training: dict,
    seed: int,
    folder: Path,
    threads: int,
    provenance: dict,
) -> dict:
    """Train one model, or go on from its last checkpoint, see ``minset.model.training.fit``.

    Parameters
    ----------
    train, validation
        Frames with energy, forces and, where it is known, stress, each of any composition.
    settings
        Options of the record, complete.
    training
        As of ``fit``.
    seed
        Of the initial weights and the order of the frames.
    folder
        Gets ``model.pt``, ``model.json``, ``history.csv``; holds ``checkpoint.pt`` on the way.
    threads
        Of torch.
    provenance
        Written into ``model.json`` as it is.

    Returns
    -------
    dict
        ``epochs``, ``best_epoch``, ``stopped`` (why).

    Raises
    ------
    ValueError
        If the loss is no longer finite, a validation frame has an element that no training frame has, or
        the cutoffs do not fit each other.
    """
    torch.set_num_threads(threads)
    folder = Path(folder)
    offsets = energy_offsets(train)
    require_trained(offsets, validation)
    hyper = with_floor(hyper_of(settings, offsets), [*train, *validation])
    torch.manual_seed(seed)
    model = build_model(hyper)
    options = (model, offsets, hyper, training["stress_weight"] > 0)
    batches, checks = Batches(train, *options), Batches(validation, *options)
    predict = Standardized(*batches.spread(len(hyper["elements"])))
    summary, history = fit(model, predict, batches, checks, training, seed, folder)
    left = species_energies(train, energies_left(model, predict, batches))
    predict.fold(model)
    trained = training | {"seed": seed} | summary
    description = description_of(hyper, trained, offsets, left, provenance)
    write_csv(folder / HISTORY, history)
    save_model(folder, model, description)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return summary
