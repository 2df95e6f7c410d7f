"""A trained SchNet as a file that schnetpack reads by itself, with all that makes its forces.

The network, the neighbours, zbl and the forces are schnetpack's own modules. What schnetpack has not, a
floor and point charges in any cell, are TorchScript inside the file: neither needs this package.
"""

from pathlib import Path

import torch
from torch import nn

from minset.model import repulsion
from minset.model.schnet.architecture import load_model
from minset.model.terms import KNOWN, Repulsion, charges_of


def schnetpack_model(folder: Path, baseline: dict | None) -> nn.Module:
    """Potential of schnetpack in double precision: energies with offsets, forces and, on request, stress.

    Elements that the model does not know give NaN, not something.

    Parameters
    ----------
    folder
        Of a trained SchNet.
    baseline
        System whose potential it stands on, ``species`` and ``potential``; of kind ``coulomb``.

    Raises
    ------
    ValueError
        If the model cannot be read.
    BeyondTool
        If it stands on a potential that schnetpack cannot compute.
    """
    import schnetpack as spk

    network, description = load_model(folder)
    hyper, offsets = description["hyper"], description["energy_offsets_eV"]
    readout, terms = network.output_modules[0], ["learned"]
    readout.output_key, readout.model_outputs = terms[0], [terms[0]]
    readout.per_atom_output_key = None
    outputs = [readout]
    if network.repulsion is not None:
        outputs.append(_repulsion(network.repulsion, hyper["cutoff_A"]))
        terms.append("repulsion")
    if baseline is not None:
        outputs.append(charges_of(baseline, hyper["cutoff_A"], "schnetpack"))
        terms.append("charges")
    restored = spk.transform.AddOffsets("energy", add_atomrefs=True, zmax=KNOWN)
    restored.mean = torch.zeros(())  # a number, or spkmd stops over how it is printed
    for number, energy_eV in offsets.items():
        restored.atomref[int(number)] = energy_eV
    known = torch.tensor([int(number) for number in offsets])
    unknown = torch.ones(len(network.representation.embedding.weight), dtype=torch.bool)
    unknown[known] = False
    network.representation.embedding.weight[unknown] = torch.nan
    model = spk.model.NeuralNetworkPotential(
        representation=network.representation,
        input_modules=[spk.atomistic.PairwiseDistances()],
        output_modules=[
            *outputs,
            spk.atomistic.Aggregation(terms, "energy"),
            spk.atomistic.Forces(),
        ],
        postprocessors=[spk.transform.CastTo64(), restored],
        input_dtype_str="float64",
    )
    model.model_outputs = ["energy", "forces"]
    model = model.double().eval()
    for number, energy_eV in offsets.items():  # all digits
        restored.atomref[int(number)] = energy_eV
    return model


def _repulsion(made: repulsion.Repulsion, cutoff_A: float) -> nn.Module:
    """zbl as schnetpack's module, with the constants of this package; a floor as a script."""
    import schnetpack as spk

    if made.kind == "floor":
        return torch.jit.script(Repulsion(made))
    cutoff = spk.nn.CosineCutoff(cutoff_A)
    module = spk.atomistic.ZBLRepulsionEnergy("eV", "Ang", "repulsion", False, cutoff).double()
    # what it takes is the inverse of softplus of each
    module.ke.fill_(repulsion.COULOMB_EV_A)
    for name, values in {
        "a_div": [1 / repulsion.SCREENING_A],
        "a_pow": [0.23],
        "exponents": repulsion.EXPONENTS,
        "coefficients": repulsion.WEIGHTS,
    }.items():
        exact = torch.tensor(values, dtype=torch.float64)
        getattr(module, name).data.copy_(spk.nn.softplus_inverse(exact))
    return module
