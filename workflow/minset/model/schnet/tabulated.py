"""SchNet with tabulated filters in torch, for training and for graphics processors.

Energy and forces are one forward computation: the derivative of the energy with respect to the
distances is written out, so training needs one ordinary backward pass instead of a double one, and
MD no graph at all. On the processor the sums over pairs are the compiled loops of
``minset.model.schnet.kernels``; on other devices they are torch operations.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from minset.model.schnet import kernels
from minset.model.schnet.compressed import Compressed
from minset.model.schnet.passes import Layers
from minset.model.schnet.tables import filter_table


@dataclass(frozen=True)
class Pairs:
    """Undirected pairs with their place in the tables, and the same for the compiled loops.

    With ``near``, which needs pairs sorted by i, the sums over pairs are compiled; without, they are
    torch operations on any device.
    """

    i: torch.Tensor  # (p,)
    j: torch.Tensor  # (p,)
    segment: torch.Tensor  # (p,)
    weights: torch.Tensor  # (p, 4), see minset.model.schnet.tables.hermite_weights
    slopes: torch.Tensor  # (p, 4)
    near: kernels.Near | None = None


@dataclass(frozen=True)
class Weights:
    """A SchNet with tabulated filters as tensors; S species, or all atomic numbers below 100."""

    embedding: torch.Tensor  # (S, F)
    layers: Layers
    readout: list[torch.Tensor]  # output network, as in x @ readout[0]
    readout_bias: list[torch.Tensor]


def weights_of(model: torch.nn.Module, segments: int) -> Weights:
    """Weights of a network in training, with their graph; its embedding goes by atomic number."""
    blocks = model.representation.interactions
    readout = model.output_modules[0].outnet
    return Weights(
        embedding=model.representation.embedding.weight,
        layers=Layers(
            tables=[filter_table(model.representation, k, segments) for k in range(len(blocks))],
            in2f=[x.in2f.weight.T for x in blocks],
            out1=[x.f2out[0].weight.T for x in blocks],
            bias1=[x.f2out[0].bias for x in blocks],
            out2=[x.f2out[1].weight.T for x in blocks],
            bias2=[x.f2out[1].bias for x in blocks],
        ),
        readout=[layer.weight.T for layer in readout],
        readout_bias=[layer.bias for layer in readout],
    )


def weights_on(device: torch.device, compressed: Compressed) -> Weights:
    """Weights of a compressed model on a device; its embedding goes by species."""

    def there(array):
        return torch.from_numpy(array).to(device)

    return Weights(
        embedding=there(compressed.embedding),
        layers=Layers(*(list(there(array)) for array in compressed.layers)),
        readout=[there(w) for w in compressed.readout],
        readout_bias=[there(b) for b in compressed.readout_bias],
    )


def tabulated_energy(
    weights: Weights, species: torch.Tensor, pairs: Pairs
) -> tuple[torch.Tensor, torch.Tensor]:
    """Atomic energies and their sum's derivative with respect to each distance.

    Parameters
    ----------
    species
        Row of the embedding of each atom, shape (n,).

    Returns
    -------
    energies, slopes
        In eV without offsets and repulsion, shape (n,), and in eV/A, shape (p,). Both can be
        differentiated.
    """
    layers = weights.layers
    x = weights.embedding[species]
    vs, sigmas = [], []
    for table, in2f, out1, bias1, out2, bias2 in zip(*layers, strict=True):
        vs.append(x @ in2f)
        z = torch.addmm(bias1, convolve(table, vs[-1], pairs), out1)
        x = x + torch.addmm(bias2, torch.nn.functional.softplus(z) - math.log(2.0), out2)
        sigmas.append(torch.sigmoid(z))
    energies, g_x = _readout(weights, x)
    slopes = torch.zeros(len(pairs.i), dtype=x.dtype, device=x.device)
    for k in reversed(range(len(vs))):
        g_m = ((g_x @ layers.out2[k].T) * sigmas[k]) @ layers.out1[k].T
        slopes = slopes + pair_slopes(layers.tables[k], vs[k], g_m, pairs)
        if k > 0:
            g_x = g_x + convolve(layers.tables[k], g_m, pairs) @ layers.in2f[k].T
    return energies, slopes


def tabulated_predict(model: torch.nn.Module, segments: int, batch: dict) -> dict:
    """Energies, forces and virials of a batch of structures, without repulsion and offsets.

    Parameters
    ----------
    model
        From ``minset.model.schnet.architecture.build_model``.
    segments
        Of the filter tables.
    batch
        ``numbers`` (n,), ``frame`` (n,) to which of m structures each atom belongs, ``frames`` = m,
        ``pairs``, and of each pair its ``distance`` (p,) and ``direction`` (p, 3) from i to j.

    Returns
    -------
    dict
        ``energy`` (m,) in eV, ``forces`` (n, 3) in eV/A and ``virial`` (m, 3, 3) in eV, as of
        ``minset.model.schnet.architecture.predict``.
    """
    pairs, frame = batch["pairs"], batch["frame"]
    energies, slopes = tabulated_energy(weights_of(model, segments), batch["numbers"], pairs)
    gradient = slopes[:, None] * batch["direction"]
    forces = torch.zeros(len(frame), 3, dtype=gradient.dtype, device=gradient.device)
    outer = (batch["distance"][:, None] * batch["direction"])[:, :, None] * gradient[:, None, :]
    empty = torch.zeros(batch["frames"], 3, 3, dtype=gradient.dtype, device=gradient.device)
    return {
        "energy": empty[:, 0, 0].index_add(0, frame, energies),
        "forces": forces.index_add(0, pairs.i, gradient).index_add(0, pairs.j, -gradient),
        "virial": empty.index_add(0, frame[pairs.i], outer),
    }


def _readout(weights: Weights, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Energies (n,) and their gradient with respect to the features (n, F)."""
    factors = []
    for weight, bias in zip(weights.readout[:-1], weights.readout_bias[:-1], strict=True):
        z = torch.addmm(bias, x, weight)
        sigma = torch.sigmoid(z)
        x = z * sigma
        factors.append(sigma + x * (1 - sigma))
    gradient = weights.readout[-1].T.expand(len(x), -1)
    for weight, factor in zip(weights.readout[-2::-1], reversed(factors), strict=True):
        gradient = (gradient * factor) @ weight.T
    return (x @ weights.readout[-1] + weights.readout_bias[-1])[:, 0], gradient


def convolve(table: torch.Tensor, v: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """Continuous-filter convolution m_i = sum_j W(d_ij) v_j, shape (n, filters)."""
    if pairs.near:
        return _Convolve.apply(table, v, pairs.near)
    w = (pairs.weights[:, :, None] * _knots(table, pairs)).sum(dim=1)
    m = torch.zeros_like(v).index_add(0, pairs.i, w * v[pairs.j])
    return m.index_add(0, pairs.j, w * v[pairs.i])


def pair_slopes(
    table: torch.Tensor, v: torch.Tensor, g_m: torch.Tensor, pairs: Pairs
) -> torch.Tensor:
    """What a convolution adds to dE/dd of each pair, with g_m = dE/dm: shape (p,)."""
    if pairs.near:
        return _PairSlopes.apply(table, v, g_m, pairs.near)
    slope = (pairs.slopes[:, :, None] * _knots(table, pairs)).sum(dim=1)
    return (slope * (v[pairs.j] * g_m[pairs.i] + v[pairs.i] * g_m[pairs.j])).sum(dim=1)


def _knots(table: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """Value and slope of the left and the right knot of each pair, shape (p, 4, filters)."""
    rows = 2 * pairs.segment[:, None] + torch.arange(4, device=table.device)
    return table.reshape(-1, table.shape[-1])[rows]


def _arrays(*tensors: torch.Tensor) -> tuple[np.ndarray, ...]:
    return tuple(np.ascontiguousarray(t.detach().numpy()) for t in tensors)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table, v, near):
        ctx.save_for_backward(table, v)
        ctx.near = near
        m = np.zeros(v.shape, np.float32)
        kernels.convolve_rows(0, len(m), near, *_arrays(table, v), m)
        return torch.from_numpy(m)

    @staticmethod
    def backward(ctx, g_m):
        table, v = ctx.saved_tensors
        g_table, g_v = (np.zeros(t.shape, np.float32) for t in (table, v))
        kernels.convolve_backward(ctx.near, *_arrays(table, v, g_m), g_table, g_v)
        return torch.from_numpy(g_table), torch.from_numpy(g_v), None


class _PairSlopes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table, v, g_m, near):
        ctx.save_for_backward(table, v, g_m)
        ctx.near = near
        slopes = np.empty(len(near.j), np.float32)
        kernels.pair_slopes(near, *_arrays(table, v, g_m), slopes)
        return torch.from_numpy(slopes)

    @staticmethod
    def backward(ctx, g_slopes):
        table, v, g_m = ctx.saved_tensors
        g_table, g_v, g_g = (np.zeros(t.shape, np.float32) for t in (table, v, g_m))
        kernels.pair_slopes_backward(ctx.near, *_arrays(table, v, g_m, g_slopes), g_table, g_v, g_g)
        return torch.from_numpy(g_table), torch.from_numpy(g_v), torch.from_numpy(g_g), None
