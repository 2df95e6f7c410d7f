"""Training of SchNet, by the loop of ``minset.model.training``.

The pairs of all frames are placed in the filter tables once (``minset.model.schnet.tabulated``). The
trained network is then compressed for simulations.
"""

from pathlib import Path

import torch
from ase import Atoms

from minset.files import write_csv
from minset.model.offsets import energy_offsets, require_trained, species_energies
from minset.model.record import DESCRIPTION
from minset.model.repulsion import with_floor
from minset.model.schnet import COMPRESSED, COMPRESSION, HISTORY, WEIGHTS
from minset.model.schnet.architecture import build_model, hyper_of, load_model, save_model
from minset.model.schnet.batches import Batches
from minset.model.schnet.compress import CHECK_FRAMES, compress
from minset.model.schnet.tabulated import tabulated_predict
from minset.model.training import CHECKPOINT, description_of, energies_left, fit

SEGMENTS = 256  # of the filter tables in training: gradients are the network's to 1e-5


def train_schnet(
    train: list[Atoms],
    validation: list[Atoms],
    settings: dict,
    training: dict,
    seed: int,
    folder: Path,
    threads: int,
    provenance: dict,
) -> dict:
    """Train and compress one model, or go on with what a kill interrupted or an error ended.

    Parameters
    ----------
    train, validation, settings, training, seed, threads, provenance
        As of ``train_network``.
    folder
        Gets ``model.pt``, ``model.json``, ``history.csv``, ``compressed.npz`` and ``compression.csv``;
        holds ``checkpoint.pt`` on the way. A network trained there is not trained again.

    Returns
    -------
    dict
        ``epochs``, ``best_epoch``, ``stopped`` (why).

    Raises
    ------
    ValueError
        As ``train_network``, or if no tables are the same potential as the network, see ``compress``.
    """
    folder = Path(folder)
    if not all((folder / name).exists() for name in (WEIGHTS, DESCRIPTION, HISTORY)):
        train_network(train, validation, settings, training, seed, folder, threads, provenance)
    torch.set_num_threads(threads)
    model, description = load_model(folder)
    check = compress(model, description, train[:CHECK_FRAMES], folder / COMPRESSED)
    write_csv(folder / COMPRESSION, check)
    return {key: description["training"][key] for key in ("epochs", "best_epoch", "stopped")}


def train_network(
    train: list[Atoms],
    validation: list[Atoms],
    settings: dict,
    training: dict,
    seed: int,
    folder: Path,
    threads: int,
    provenance: dict,
) -> dict:
    """Train one network, or go on from its last checkpoint, see ``minset.model.training.fit``.

    Parameters
    ----------
    train, validation
        Frames with energy, forces and, where it is known, stress, each of any composition.
    settings
        ``size`` and what it overrides, see ``minset.model.schnet.architecture.hyper_of``.
    training
        As of ``fit``.
    seed
        Of the initial weights and the order of the frames.
    folder
        Gets ``model.pt``, ``model.json``, ``history.csv``; holds ``checkpoint.pt`` on the way.
    threads
        Of torch, on the processor.
    provenance
        Written into ``model.json`` as it is.

    Returns
    -------
    dict
        ``epochs``, ``best_epoch``, ``stopped`` (why).

    Raises
    ------
    ValueError
        If the loss is no longer finite, or a validation frame has an element that no training frame
        has.
    """
    torch.set_num_threads(threads)
    folder = Path(folder)
    offsets = energy_offsets(train)
    require_trained(offsets, validation)
    hyper = with_floor(hyper_of(settings), [*train, *validation])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    options = (offsets, hyper, SEGMENTS, training["stress_weight"] > 0, device)
    batches, checks = Batches(train, *options), Batches(validation, *options)
    torch.manual_seed(seed)
    model = build_model(hyper).to(device)
    summary, history = fit(model, predict, batches, checks, training, seed, folder)
    left = species_energies(train, energies_left(model, predict, batches))
    trained = training | {"seed": seed} | summary
    description = description_of(hyper, trained, offsets, left, provenance)
    write_csv(folder / HISTORY, history)
    save_model(folder, model.cpu(), description)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return summary


def predict(model: torch.nn.Module, batch: dict) -> dict:
    """Energies, forces and virials of a batch of ``Batches``, see ``tabulated_predict``."""
    return tabulated_predict(model, SEGMENTS, batch)
