"""Filters of SchNet as tables over the distance, interpolated by cubic Hermite polynomials.

The filter of an interaction, W(d) fc(d), depends on the distance alone. Its values and slopes at
equidistant knots from 0 to the cutoff replace the filter network at every pair. Between knots the
interpolant is a cubic with continuous first derivative, so forces stay derivatives of the energy.
"""

import math

import torch


def filter_table(representation: torch.nn.Module, layer: int, segments: int) -> torch.Tensor:
    """Values and slopes of all filters of one interaction at the knots; differentiable in its weights.

    Parameters
    ----------
    representation
        ``schnetpack.representation.SchNet`` with Gaussian radial basis and cosine cutoff.
    layer
        Number of the interaction.
    segments
        Number of intervals between 0 and the cutoff.

    Returns
    -------
    torch.Tensor
        Shape (segments + 1, 2, filters): W fc, and d(W fc)/dd in 1/A, in the dtype of the weights.
    """
    first, last = representation.interactions[layer].filter_network
    basis, cutoff = representation.radial_basis, float(representation.cutoff)
    like = {"dtype": first.weight.dtype, "device": first.weight.device}
    distance = torch.linspace(0, cutoff, segments + 1, **like)[:, None]
    # the network and its derivative along the distance, layer by layer
    offset = distance - basis.offsets
    # far Gaussians are exactly 0: numbers too small for float32 make matrix products ten times slower
    exponent = -0.5 * (offset / basis.widths) ** 2
    gaussians = torch.where(exponent > -50, torch.exp(exponent.clamp(min=-50)), 0.0)
    slopes = -offset / basis.widths**2 * gaussians
    hidden = torch.nn.functional.linear(gaussians, first.weight, first.bias)
    slopes = torch.sigmoid(hidden) * torch.nn.functional.linear(slopes, first.weight)
    values = last(torch.nn.functional.softplus(hidden) - math.log(2.0))
    slopes = torch.nn.functional.linear(slopes, last.weight)
    angle = math.pi * distance / cutoff
    smooth, smooth_slope = 0.5 * (torch.cos(angle) + 1), -0.5 * math.pi / cutoff * torch.sin(angle)
    smooth[-1] = smooth_slope[-1] = 0.0
    return torch.stack([values * smooth, slopes * smooth + values * smooth_slope], dim=1)


def hermite_weights(distance: torch.Tensor, cutoff_A: float, segments: int):
    """Segment of each distance, and the weights of the knots' values and slopes in the interpolant.

    Parameters
    ----------
    distance
        In A, shape (p,); what lies beyond the cutoff is extrapolated from the last segment.

    Returns
    -------
    segment, weights, slope_weights
        Shapes (p,), (p, 4), (p, 4). With t = (value, slope) of the left and of the right knot the
        interpolant is ``weights @ t`` and its derivative ``slope_weights @ t``.
    """
    h = cutoff_A / segments
    segment = (distance / h).long().clamp(max=segments - 1)
    u = distance / h - segment
    v = 1 - u
    weights = [(1 + 2 * u) * v**2, h * u * v**2, u**2 * (3 - 2 * u), -h * u**2 * v]
    slopes = [-6 * u * v / h, (1 - 3 * u) * v, 6 * u * v / h, u * (3 * u - 2)]
    return segment, torch.stack(weights, dim=-1), torch.stack(slopes, dim=-1)
