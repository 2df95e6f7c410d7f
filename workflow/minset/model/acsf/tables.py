"""Symmetry functions as tables, interpolated by cubic Hermite polynomials.

Those of a pair depend on its distance, those of a triple on two distances and a cosine, each by itself.
Between knots the interpolant is a cubic with continuous first derivative, so forces stay derivatives of
the energy.
"""

from collections.abc import Callable

import numpy as np
import torch
from torchani.aev import AEVComputer

from minset.model.acsf.architecture import Acsf, layers_of
from minset.model.acsf.layout import Network, Sizes, Tables
from minset.model.repulsion import repulsion_of, repulsion_tables

SEGMENTS = 1024  # forces are those of the functions to 1e-6 of them


def tabulate(functions: AEVComputer, hyper: dict, numbers: list[int]) -> Tables:
    """Tables of symmetry functions and repulsion, see ``Tables``.

    Parameters
    ----------
    functions
        In double precision.
    hyper
        Of the model.
    numbers
        Atomic numbers of the elements in the order of their names in ``hyper``.
    """
    radial, angular, cutoff = functions.radial, functions.angular, hyper["cutoff_A"]
    inner = hyper["angular_cutoff_A"]

    def fading(r: torch.Tensor) -> torch.Tensor:
        return angular.cutoff_fn(r, inner)[:, None]

    def squares(r: torch.Tensor) -> torch.Tensor:  # of each distance in a triple of Behler's
        return angular.compute_radial(r[:, None], torch.zeros_like(r)[:, None]) * fading(r)

    def mean(r: torch.Tensor) -> torch.Tensor:
        return angular.compute_radial(r[:, None], r[:, None])

    ani, pairs = hyper["functions"] == "ani", np.linspace(0, inner, SEGMENTS + 1)
    repulsion = np.zeros((len(numbers), len(numbers), 0, 4))
    if under := repulsion_of(hyper):
        knots = np.moveaxis(repulsion_tables(under, numbers, cutoff, SEGMENTS), (2, 3), (0, 1))
        repulsion = np.ascontiguousarray(
            np.moveaxis(_cubics(knots, cutoff / SEGMENTS), (0, 1), (2, 3))
        )
    return Tables(
        radial=_table(radial, np.linspace(0, cutoff, SEGMENTS + 1), ends=True),
        near=_table(fading if ani else squares, pairs, ends=True),
        mean=_table(mean, pairs) if ani else np.empty((SEGMENTS, 4, 0)),
        angle=_table(
            lambda c: angular.compute_cos_angles(c[:, None]), np.linspace(-1, 1, SEGMENTS + 1)
        ),
        cutoffs=np.array([cutoff, inner]),
        repulsion=repulsion,
        blocks=functions.triu_index.numpy(),
    )


def _table(function: Callable, knots: np.ndarray, ends: bool = False) -> np.ndarray:
    """Cubics of columns between knots, as of ``_cubics``; zero at the last knot if it ``ends``."""
    x = torch.from_numpy(knots)
    values, slopes = torch.func.jvp(function, (x,), (torch.ones_like(x),))
    knot = torch.stack([values, slopes], dim=1).numpy().copy()
    if ends:
        knot[-1] = 0.0
    return _cubics(knot, knots[1] - knots[0])


def _cubics(knots: np.ndarray, spacing: float) -> np.ndarray:
    """Coefficients (K, 4, ...) of the cubics with values and slopes (K + 1, 2, ...) at knots."""
    v, s = knots[:, 0], knots[:, 1] * spacing
    rise = v[1:] - v[:-1]
    return np.stack(
        [v[:-1], s[:-1], 3 * rise - 2 * s[:-1] - s[1:], s[:-1] + s[1:] - 2 * rise], axis=1
    )


def sizes_of(tables: Tables) -> Sizes:
    """Numbers of functions in the form that the compiled loops take."""
    of_triples = tables.mean if tables.mean.shape[2] else tables.near
    return Sizes(*((0,) * t.shape[2] for t in (tables.radial, of_triples, tables.angle)))


def pack(model: Acsf, offsets_eV: list[float]) -> Network:
    """Weights of the networks in arrays."""
    networks = [layers_of(network) for network in model.networks.atomics.values()]
    widths = [networks[0][0].in_features, *(layer.out_features for layer in networks[0])]
    shape = (len(widths) - 1, len(networks), max(widths))
    weights, biases = np.zeros((*shape, shape[-1])), np.zeros(shape)
    for s, layers in enumerate(networks):
        for k, layer in enumerate(layers):
            weights[k, s, : widths[k], : widths[k + 1]] = layer.weight.detach().numpy().T
            biases[k, s, : widths[k + 1]] = layer.bias.detach().numpy()
    return Network(np.array(widths), weights, biases, np.array(offsets_eV, dtype=float))
