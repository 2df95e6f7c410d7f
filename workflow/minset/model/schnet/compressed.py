"""Compressed SchNet: the weights of a network with its filters tabulated, and its file."""

import copy
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from minset.files import written_aside
from minset.model.repulsion import repulsion_tables
from minset.model.schnet.passes import Layers
from minset.model.schnet.tables import filter_table


@dataclass(frozen=True)
class Compressed:
    """A compressed SchNet: arrays only. S species, F features, K segments."""

    cutoff_A: float
    numbers: np.ndarray  # (S,) atomic numbers, increasing
    offsets_eV: np.ndarray  # (S,)
    embedding: np.ndarray  # (S, F)
    layers: Layers
    readout: tuple[np.ndarray, ...]  # output network, as in x @ readout[0]
    readout_bias: tuple[np.ndarray, ...]
    repulsion: np.ndarray  # (S, S, K + 1, 2) in eV A and eV, or (S, S, 0, 2)

    @property
    def segments(self) -> int:
        """Number of intervals of the tables."""
        return self.layers.tables.shape[1] - 1


def tabulate_representation(
    representation: torch.nn.Module, numbers, segments: int
) -> tuple[np.ndarray, Layers]:
    """Embedding of some species, and the interactions, of a SchNet representation.

    Parameters
    ----------
    representation
        From ``minset.model.schnet.architecture.build_representation``.
    numbers
        Atomic numbers that occur, increasing.
    segments
        Intervals of the tables between 0 and the cutoff.
    """
    exact = copy.deepcopy(representation).double().requires_grad_(False)
    blocks = exact.interactions

    def stacked(weights) -> np.ndarray:
        return np.ascontiguousarray(np.stack([w.numpy() for w in weights]).astype(np.float32))

    return stacked([exact.embedding.weight[int(z)] for z in numbers]), Layers(
        tables=stacked([filter_table(exact, k, segments) for k in range(len(blocks))]),
        in2f=stacked([x.in2f.weight.T for x in blocks]),
        out1=stacked([x.f2out[0].weight.T for x in blocks]),
        bias1=stacked([x.f2out[0].bias for x in blocks]),
        out2=stacked([x.f2out[1].weight.T for x in blocks]),
        bias2=stacked([x.f2out[1].bias for x in blocks]),
    )


def tabulate(model: torch.nn.Module, description: dict, segments: int) -> Compressed:
    """Compress a model with tables of a given resolution.

    Parameters
    ----------
    model, description
        From ``minset.model.schnet.architecture.load_model``.
    segments
        Intervals of the tables between 0 and the cutoff.
    """
    offsets = {int(z): value for z, value in description["energy_offsets_eV"].items()}
    numbers = sorted(offsets)
    cutoff = float(model.representation.cutoff)
    embedding, layers = tabulate_representation(model.representation, numbers, segments)
    readout = [layer.float() for layer in copy.deepcopy(model.output_modules[0]).outnet]
    return Compressed(
        cutoff_A=cutoff,
        numbers=np.array(numbers),
        offsets_eV=np.array([offsets[z] for z in numbers]),
        embedding=embedding,
        layers=layers,
        readout=tuple(np.ascontiguousarray(x.weight.detach().numpy().T) for x in readout),
        readout_bias=tuple(x.bias.detach().numpy() for x in readout),
        repulsion=repulsion_tables(model.repulsion, numbers, cutoff, segments),
    )


def save_compressed(path: Path, compressed: Compressed) -> None:
    """Write a compressed model as plain arrays, in one step."""
    arrays = {field.name: getattr(compressed, field.name) for field in fields(compressed)}
    arrays |= arrays.pop("layers")._asdict()
    for name in ("readout", "readout_bias"):
        arrays |= {f"{name}.{k}": array for k, array in enumerate(arrays.pop(name))}
    with written_aside(path) as aside:
        np.savez(aside, **arrays)


def load_compressed(path: Path) -> Compressed:
    """Read a compressed model.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        layers = Layers(**{name: arrays.pop(name) for name in Layers._fields})
        for name in ("readout", "readout_bias"):
            count = sum(key.split(".")[0] == name for key in arrays)
            arrays[name] = tuple(arrays.pop(f"{name}.{k}") for k in range(count))
        read = Compressed(**arrays | {"cutoff_A": float(arrays["cutoff_A"]), "layers": layers})
        _require_sane(read)
        return read
    except Exception as error:  # zipfile, numpy and OS raise many kinds
        raise ValueError(
            f"the compressed model {path} cannot be read ({error}); remove its folder and train it again"
        ) from error


def _require_sane(read: Compressed) -> None:
    """Raise unless all is finite and of one size: the compiled loops do not check what they index."""
    species, features = read.embedding.shape
    interactions, knots, _, filters = read.layers.tables.shape
    squares = (interactions, features, features)
    knots_of_repulsion = min(knots, read.repulsion.shape[2])
    shapes = [
        (read.numbers, "i", (species,)),
        (read.offsets_eV, "f", (species,)),
        (read.layers.tables, "f", (interactions, max(knots, 2), 2, filters)),
        (read.layers.in2f, "f", (interactions, features, filters)),
        (read.layers.out1, "f", (interactions, filters, features)),
        (read.layers.out2, "f", squares),
        (read.layers.bias1, "f", squares[:2]),
        (read.layers.bias2, "f", squares[:2]),
        (read.repulsion, "f", (species, species, knots_of_repulsion and knots, 2)),
    ]
    width = features
    for weight, bias in zip(read.readout, read.readout_bias, strict=True):
        shapes += [(weight, "f", (width, len(bias))), (bias, "f", (len(bias),))]
        width = len(bias)
    if any(a.dtype.kind != kind or a.shape != shape for a, kind, shape in shapes) or width != 1:
        raise ValueError("its arrays do not fit together")
    finite = all(np.isfinite(array).all() for array, *_ in shapes)
    if not (finite and np.isfinite(read.embedding).all() and 0 < read.cutoff_A < 100):
        raise ValueError("it has values that are not finite")
    if (np.diff(read.numbers) <= 0).any() or read.numbers.min() < 1 or read.numbers.max() > 118:
        raise ValueError("its elements are not in order")
