"""README of an exported folder: what is in it, and the commands of each tool."""

from pathlib import Path

_README = """\
# {run}

A model of {system} and the frames that it was trained on. `CARD.md` says how good it is, where it
may be used, its licence and how to cite it.

| folder | content |
|---|---|
| `minset/` | the model as minset reads it: ASE, LAMMPS |
{own}| `data/extxyz/` | training, validation and test frames, extended XYZ with ASE's names |
| `data/ref/` | the same with `REF_energy`, `REF_forces`, `REF_stress`: MACE |
| `data/deepmd/` | DeePMD-kit's npy systems |
| `data/n2p2/` | `input.data` in Bohr and Hartree: n2p2, RuNNer |
| `data/ase/` | an ASE database, `part` is a key |

Energies are total energies of the labels in eV, forces in eV/A, stresses in eV/A^3, tension positive.

## The model

### ASE

`pip install <minset's repository>` gives the package. Paths are relative to this folder.

```python
from minset.calculator import ModelCalculator

atoms.calc = ModelCalculator("minset")  # a list of folders is a committee
atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
```

### LAMMPS

Through its Python interface, in your own script:

```python
from lammps import lammps
from minset.md.driver import attach_model

lmp = lammps()
lmp.commands_string(\"\"\"
units metal
atom_style charge
boundary p p p
read_data my.data
\"\"\")
check = attach_model(lmp, "minset", species={species})  # elements of the atom types, in their order
lmp.commands_string(\"\"\"
fix 1 all nvt temp {temperature} {temperature} 0.1
timestep 0.001
run 1000
\"\"\")
check()
```

{usage}

## The data

### MACE

    mace_run_train --name=mine --train_file=data/ref/train-ref.extxyz \\
        --valid_file=data/ref/validation-ref.extxyz --test_file=data/ref/test-ref.extxyz \\
        --energy_key=REF_energy --forces_key=REF_forces --stress_key=REF_stress \\
        --E0s=average --r_max={cutoff} --default_dtype=float64

### NequIP

```yaml
data:
  _target_: nequip.data.datamodule.ASEDataModule
  train_file_path: data/extxyz/train.extxyz
  val_file_path: data/extxyz/validation.extxyz
  test_file_path: [data/extxyz/test.extxyz]
```

### DeePMD-kit

In `input.json`, a list of all folders below the part, as `{deepmd}`:

```json
{{"model": {{"type_map": {type_map}}},
 "training": {{"training_data": {{"systems": ["data/deepmd/train/{formula}"]}},
              "validation_data": {{"systems": ["data/deepmd/validation/{formula}"]}}}}}}
```

### n2p2

    cp data/n2p2/input.data.train input.data && nnp-scaling 500 && nnp-train
"""


def readme_text(
    about: dict, own: Path, usage: str, species: list[str], formula: str, cutoff_A: float
) -> str:
    """README of an export.

    Parameters
    ----------
    about
        ``run``, ``system`` and ``simulations``.
    own
        Folder of the model's own tool, if there is one.
    usage
        How that is used.
    species
        Elements of the model, by atomic number.
    formula
        Of the first training frame, as in the names of DeePMD's systems.
    cutoff_A
        Of the model.
    """
    import json

    first = next(iter(about["simulations"].values()), {})
    return _README.format(
        run=about["run"],
        system=about["system"],
        own=f"| `{own.name}/` | the model as its own tool reads it |\n" if own.exists() else "",
        usage=usage,
        species=json.dumps(species),
        type_map=json.dumps(species),
        temperature=first.get("temperature_K", 300),
        cutoff=cutoff_A,
        formula=formula,
        deepmd=Path("data/deepmd/train", formula).as_posix(),
    )
