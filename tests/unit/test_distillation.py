"""The networks of random network distillation against torch's own layers and optimiser."""

import pytest
import torch

from minset.select.distillation import outputs, random_network, train

SIZES = [7, 16, 12, 5]
CPU = torch.device("cpu")


def torch_twin(network) -> torch.nn.Sequential:
    layers = []
    for weight, bias in network.layers(network.parameters):
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(20, 7, generator=generator), torch.randn(20, 5, generator=generator)


def test_training_is_that_of_torch(data):
    x, f = data
    network = random_network(SIZES, 3, CPU)
    twin = torch_twin(network)
    assert torch.allclose(outputs(network, x), twin(x), atol=1e-6)
    optimizer = torch.optim.Adam(twin.parameters(), lr=1e-2)
    for _ in range(50):
        loss = (twin(x) - f).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    steps, reached = train(network, x, f, 1e-2, max_steps=50, goal=0.0, batch=100, seed=1)
    assert steps == 50
    expected = float((twin(x) - f).square().sum(dim=1).mean().detach())
    assert reached == pytest.approx(expected, rel=1e-4)
    assert torch.allclose(outputs(network, x), twin(x), atol=1e-4)


def test_training_ends_at_its_goal_and_continues_where_it_stood(data):
    x, f = data
    network, same = (random_network(SIZES, 3, CPU) for _ in range(2))
    steps, loss = train(network, x, f, 1e-2, max_steps=5000, goal=0.5, batch=100, seed=1)
    assert loss <= 0.5
    assert 0 < steps < 5000
    assert train(network, x, f, 1e-2, max_steps=50, goal=0.5, batch=100, seed=1) == (0, loss)
    for part in (steps // 2, steps - steps // 2):
        train(same, x, f, 1e-2, max_steps=part, goal=0.0, batch=100, seed=1)
    assert torch.equal(same.parameters, network.parameters)


def test_large_sets_are_learned_in_batches(data):
    x, f = data
    network, again = (random_network(SIZES, 3, CPU) for _ in range(2))
    before = float((outputs(network, x) - f).square().sum(dim=1).mean())
    for one in (network, again):
        train(one, x, f, 1e-2, max_steps=300, goal=0.0, batch=4, seed=5)
    assert float((outputs(network, x) - f).square().sum(dim=1).mean()) < 0.5 * before
    assert torch.equal(network.parameters, again.parameters)


def test_initial_weights_are_within_torchs_bounds_and_their_own_per_seed():
    network = random_network([100, 400, 3], 1, CPU)
    (weight, bias), _ = network.layers(network.parameters)
    for part in (weight, bias):
        assert part.abs().max() <= 0.1
    assert weight.std() == pytest.approx(0.1 / 3**0.5, rel=0.02)
    assert not torch.equal(network.parameters, random_network([100, 400, 3], 2, CPU).parameters)
