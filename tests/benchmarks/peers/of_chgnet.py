"""CHGNet, a universal potential, with the weights of its wheel."""

from peers.in_ase import verlet

PACKAGES = ["chgnet", "torch"]


def calculator(folder):
    """CHGNet's own calculator."""
    from chgnet.model.dynamics import CHGNetCalculator

    return CHGNetCalculator(use_device="cpu")


def steps(folder, atoms):
    """MD in ASE, as CHGNet's own dynamics do it."""
    return verlet(calculator(folder), atoms)
