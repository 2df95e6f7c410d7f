"""A trained SchNet for schnetpack: ``spkmd`` and ``SpkCalculator``."""

import json
from pathlib import Path

from minset.model.record import DESCRIPTION
from minset.model.schnet.schnetpack_file import schnetpack_model
from minset.model.terms import write_module

FILE = "model.schnetpack"

_USE = """\
### schnetpack

`{file}` is a whole schnetpack 2.1 model in double precision: network,
repulsion{charges}, energies with their offsets, forces, stress. It is a pickle, and runs code when it
is read: take it from whom you trust, and let torch 2.6 and newer read it with
`TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1`. Where schnetpack 2.1.1 cannot be imported because of `T_co`,
which newer torch has no longer, `torch.utils.data.dataloader.T_co = typing.TypeVar("T_co")` before it
mends that. Elements other than {elements} give NaN.{cost}

```python
import torch
from schnetpack.interfaces import SpkCalculator
from schnetpack.transform import ASENeighborList

atoms.calc = SpkCalculator(
    "{file}",
    ASENeighborList(cutoff={cutoff}),
    energy_key="energy", force_key="forces", stress_key="stress",
    energy_unit="eV", dtype=torch.float64,
)
```

    export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1
    spkmd simulation_dir=md system.molecule_file=start.extxyz \\
        calculator.model_file={file} calculator.neighbor_list.cutoff={cutoff} \\
        calculator.energy_unit=eV precision=64 device=cpu

`spkmd` leaves the offsets out of its energies; forces are the same. schnetpack 2.1.1 comes from PyPI
without the settings of `spkmd`: take `src/schnetpack/md/md_configs` from its repository, with
`--config-path`."""
_CHARGES = (
    "\nThe charges are a plain Ewald sum in any cell, exact to 1e-5 eV/A; its time grows with the "
    "square of the number of atoms: beyond some 500, rather LAMMPS."
)


def export_schnet(folder: Path, baseline: dict | None, target: Path) -> str:
    """Write the model for schnetpack; see ``Model.export``."""
    description = json.loads((Path(folder) / DESCRIPTION).read_text())
    write_module(target / FILE, schnetpack_model(folder, baseline))
    return _USE.format(
        file=f"{target.name}/{FILE}",
        charges=", charges" if baseline else "",
        cost=_CHARGES if baseline else "",
        elements=elements_of(description),
        cutoff=description["hyper"]["cutoff_A"],
    )


def elements_of(description: dict) -> str:
    """Elements of a model, by the energy offsets in its description."""
    from ase.data import chemical_symbols

    return ", ".join(
        chemical_symbols[z] for z in sorted(map(int, description["energy_offsets_eV"]))
    )
