"""The networks of random network distillation: fully connected, ReLU, trained by Adam.

Gradients are written out: for networks this small and a few dozen rows, autograd and the optimisers of
torch take five to ten times as long as the arithmetic.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch

DECAY = (0.9, 0.999)  # of Adam's mean gradient and mean squared gradient


@dataclass
class Network:
    """Parameters one after the other, and the state of Adam in the same order.

    ``sizes`` are the widths of all layers, inputs and outputs included.
    """

    sizes: list[int]
    parameters: torch.Tensor
    mean_gradient: torch.Tensor
    mean_square: torch.Tensor
    steps: int = 0

    def layers(self, flat: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Views of ``flat``: weights (outputs, inputs) and biases (outputs,) of each layer."""
        views, begin = [], 0
        for inputs, outputs in pairwise(self.sizes):
            middle, end = begin + inputs * outputs, begin + (inputs + 1) * outputs
            views.append((flat[begin:middle].view(outputs, inputs), flat[middle:end]))
            begin = end
        return views


def random_network(sizes: list[int], seed: int, device: torch.device) -> Network:
    """Network with torch's initial weights: uniform within one over the root of the inputs."""
    generator = torch.Generator().manual_seed(int(seed))
    parts = [
        (2 * torch.rand((inputs + 1) * outputs, generator=generator) - 1) / inputs**0.5
        for inputs, outputs in pairwise(sizes)
    ]
    flat = torch.cat(parts).to(device)
    return Network(sizes, flat, torch.zeros_like(flat), torch.zeros_like(flat))


def outputs(network: Network, x: torch.Tensor) -> torch.Tensor:
    """Outputs (..., outputs) for inputs (..., inputs)."""
    return _forward(network, x.reshape(-1, x.shape[-1]))[-1].view(*x.shape[:-1], -1)


def train(
    network: Network,
    x: torch.Tensor,
    f: torch.Tensor,
    learning_rate: float,
    max_steps: int,
    goal: float,
    batch: int,
    seed: int,
) -> tuple[int, float]:
    """Train towards ``f`` (rows, outputs) at ``x`` (rows, inputs).

    Ends when the mean squared distance is at most ``goal``, or after ``max_steps``. With more rows
    than ``batch``, each step sees that many of them, drawn anew.

    Returns
    -------
    steps, loss
        Steps taken, and the mean squared distance after them (of one batch).
    """
    generator = torch.Generator().manual_seed(seed)
    gradient = torch.empty_like(network.parameters)
    for step in range(max_steps + 1):
        rows = slice(None)
        if len(x) > batch:
            rows = torch.randint(len(x), (batch,), generator=generator).to(x.device)
        activations = _forward(network, x[rows])
        error = activations[-1] - f[rows]
        loss = float(error.square().sum()) / len(error)
        if loss <= goal or step == max_steps:
            break
        _backward(network, activations, error * (2 / len(error)), gradient)
        _adam(network, gradient, learning_rate)
    return step, loss


def _forward(network: Network, x: torch.Tensor) -> list[torch.Tensor]:
    """The inputs and what each layer makes of them."""
    activations = [x]
    layers = network.layers(network.parameters)
    for number, (weight, bias) in enumerate(layers, start=1):
        x = torch.addmm(bias, x, weight.t())
        if number < len(layers):
            x.relu_()
        activations.append(x)
    return activations


def _backward(network: Network, activations: list, slope: torch.Tensor, gradient) -> None:
    """Fill ``gradient`` from the derivative of the loss along the outputs."""
    layers = network.layers(network.parameters)
    gradients = network.layers(gradient)
    for number in reversed(range(len(layers))):
        weight_gradient, bias_gradient = gradients[number]
        torch.mm(slope.t(), activations[number], out=weight_gradient)
        torch.sum(slope, 0, out=bias_gradient)
        if number:
            slope = (slope @ layers[number][0]).mul_(activations[number] > 0)


def _adam(network: Network, gradient: torch.Tensor, learning_rate: float) -> None:
    """One step of Adam (Kingma and Ba, 2015, algorithm 1)."""
    network.steps += 1
    first, second = (1 - decay**network.steps for decay in DECAY)
    network.mean_gradient.lerp_(gradient, 1 - DECAY[0])
    network.mean_square.mul_(DECAY[1]).addcmul_(gradient, gradient, value=1 - DECAY[1])
    size = (network.mean_square / second).sqrt_().add_(1e-8)
    network.parameters.addcdiv_(network.mean_gradient, size, value=-learning_rate / first)
