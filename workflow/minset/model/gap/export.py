"""A trained GAP for quippy and for LAMMPS's ``pair_style quip``."""

import json
import shutil
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import torch
from ase.data import chemical_symbols

from minset.files import write_text
from minset.model.gap import XML
from minset.model.record import DESCRIPTION
from minset.model.repulsion import Repulsion, pair_energy, repulsion_of

TABLE = "repulsion.table"
_KNOTS, _FIRST_A = 4000, 0.2

_USE = """\
### quippy

`{folder}/{xml}` is what the GAP learned, as `gap_fit` writes it:

```python
from quippy.potential import Potential

learned = Potential(param_filename="{folder}/{xml}")
```

{missing}"""
_MISSING = (
    "To its energies and forces belong, and minset's calculator adds them by itself: {parts}. "
    "Without them forces are wrong, most of all at short distances."
)
_WHOLE = (
    "Its forces are whole. Its energies are relative to {offsets} eV per atom, which minset adds."
)
_OF_TABLE = (
    "\n\nIn a LAMMPS with the package ML-QUIP (not tried here), types in the order {order}:\n\n"
    "```\n{lines}\n```"
)


def export_gap(folder: Path, baseline: dict | None, target: Path) -> str:
    """Write the model for quippy, and its repulsion for LAMMPS; see ``Model.export``."""
    description = json.loads((Path(folder) / DESCRIPTION).read_text())
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(folder) / XML, target / XML)
    numbers = sorted(map(int, description["energy_offsets_eV"]))
    offsets = ", ".join(
        f"{chemical_symbols[z]} {description['energy_offsets_eV'][str(z)]:.9g}" for z in numbers
    )
    repulsion = repulsion_of(description["settings"])
    parts = []
    if repulsion is not None:
        write_text(target / TABLE, repulsion_table_text(repulsion, numbers))
        parts.append(f"the repulsion (`{target.name}/{TABLE}`)")
    if baseline is not None:
        parts.append(f"the baseline `{baseline['potential']['potential']}`")
    text = _WHOLE.format(offsets=offsets)
    if parts:
        parts.append(f"energies of {offsets} eV per atom")
        text = _MISSING.format(parts=", ".join(parts))
    if parts and baseline is None:
        text += _OF_TABLE.format(
            order=" ".join(chemical_symbols[z] for z in numbers),
            lines="\n".join(_lammps_lines(numbers, target.name, float(repulsion.ends_A.max()))),
        )
    return _USE.format(folder=target.name, xml=XML, missing=text)


def repulsion_table_text(repulsion: Repulsion, numbers: list[int]) -> str:
    """Repulsion of all pairs of elements for LAMMPS's ``pair_style table``, in eV, A and eV/A."""
    blocks = ["# repulsion under a model, units metal"]
    for a, b in combinations_with_replacement(numbers, 2):
        end = float(repulsion.ends_A[a, b])
        r = torch.linspace(_FIRST_A, end, _KNOTS, dtype=torch.float64).requires_grad_()
        energy = pair_energy(repulsion, torch.tensor(a), torch.tensor(b), r)
        (slope,) = torch.autograd.grad(energy.sum(), r)
        rows = np.stack([r.detach(), energy.detach(), -slope], axis=1)
        rows[-1, 1:] = 0.0
        lines = [f"{k} {x:.15g} {u:.15g} {f:.15g}" for k, (x, u, f) in enumerate(rows, start=1)]
        name = f"{chemical_symbols[a]}-{chemical_symbols[b]}"
        blocks.append("\n".join([name, f"N {_KNOTS} R {_FIRST_A} {end:.15g}", "", *lines]))
    return "\n\n".join(blocks) + "\n"


def _lammps_lines(numbers: list[int], folder: str, end_A: float) -> list[str]:
    symbols = [chemical_symbols[z] for z in numbers]
    places = combinations_with_replacement(range(len(numbers)), 2)
    return [
        f"pair_style hybrid/overlay quip table linear {_KNOTS}",
        f'pair_coeff * * quip {folder}/{XML} "Potential xml_label=" {" ".join(map(str, numbers))}',
        *(
            f"pair_coeff {i + 1} {j + 1} table {folder}/{TABLE} {symbols[i]}-{symbols[j]}"
            for i, j in places
        ),
    ]
