"""Energies, forces and virials of batches whose symmetry functions and derivatives are known."""

import torch

from minset.model.acsf.architecture import Acsf, layers_of


class Standardized:
    """Prediction of batches by networks whose inputs are (function - mean) / spread.

    Parameters
    ----------
    mean, spread
        Of each function for the atoms of each species, shape (S, F).
    """

    def __init__(self, mean: torch.Tensor, spread: torch.Tensor):
        self.mean, self.spread = mean, spread

    def __call__(self, model: Acsf, batch: dict) -> dict:
        """``energy`` (m,) in eV, ``forces`` (n, 3) in eV/A and ``virial`` (m, 3, 3) in eV."""
        differentiable = torch.is_grad_enabled()
        species, n = batch["species"], len(batch["species"])
        spread = self.spread[species]
        with torch.enable_grad():
            x = ((batch["functions"] - self.mean[species]) / spread).requires_grad_()
            atomic = model.networks(species[None], x[None], atomic=True)[0]
            (g,) = torch.autograd.grad(atomic.sum(), x, create_graph=differentiable)
        pull, inner = _pulls(model, g / spread, batch)
        forces = torch.zeros(n, 3).index_add(0, batch["i"], pull)
        forces = forces.index_add(0, batch["j"], -pull)
        forces = forces.index_add(0, batch["inner_i"], inner)
        forces = forces.index_add(0, batch["inner_j"], -inner)
        frames = len(batch["atoms"])
        outer = (batch["distance"][:, None] * batch["unit"])[:, :, None] * pull[:, None, :]
        virial = torch.zeros(frames, 3, 3).index_add(0, batch["frame"][batch["i"]], outer)
        outer = batch["inner_vector"][:, :, None] * inner[:, None, :]
        virial = virial.index_add(0, batch["frame"][batch["inner_i"]], outer)
        energy = torch.zeros(frames).index_add(0, batch["frame"], atomic)
        if not differentiable:
            energy = energy.detach()
        return {"energy": energy, "forces": forces, "virial": virial}

    def fold(self, model: Acsf) -> None:
        """Change the first layers so that they take the functions as they are."""
        with torch.no_grad():
            for s, network in enumerate(model.networks.atomics.values()):
                first = layers_of(network)[0]
                weight = first.weight.double() / self.spread[s].double()
                first.bias.copy_(first.bias.double() - weight @ self.mean[s].double())
                first.weight.copy_(weight)


def _pulls(model: Acsf, g: torch.Tensor, batch: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """dE/d(vector) of the listed pairs by radial functions (p, 3), and of those in triples (a, 3).

    ``g`` is the gradient of the energy by the functions of each atom, shape (n, F).
    """
    functions, n = model.functions, len(g)
    n_species, n_radial = functions.num_species, functions.radial.num_feats
    radial = g[:, : functions.radial_len].reshape(n * n_species, n_radial)
    place = batch["i"] * n_species + batch["kind"]
    along = (radial.index_select(0, place) * batch["slopes"]).sum(1)
    # of a neighbour's species: the blocks of its pairs with each species
    blocks = g[:, functions.radial_len :].reshape(n, functions.num_species_pairs, -1)
    blocks = blocks.index_select(1, functions.triu_index.flatten()).reshape(n * n_species, -1)
    place = batch["inner_i"] * n_species + batch["inner_kind"]
    inner = torch.bmm(batch["of_triples"], blocks.index_select(0, place)[:, :, None])[:, :, 0]
    return along[:, None] * batch["unit"], inner
