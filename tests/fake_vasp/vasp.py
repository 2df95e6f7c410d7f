"""A stand-in for VASP, which is not free: reads VASP's inputs, writes what VASP would, of another energy.

Its energy is that of Lennard-Jones atoms, so forces, stress and the order of the atoms can be tested;
``e_0_energy`` is another one, as with smeared occupations. It needs 12 steps of the SCF. What it does
wrong is told by SYSTEM.
"""

import os
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
from ase import units
from ase.calculators.lj import LennardJones

LJ = {"sigma": 2.7, "epsilon": 0.2, "rc": 5.5, "smooth": True}
SIGMAS = {"K": 1.0, "Cl": 0.5}
ENTROPY_EV = 0.25


def main() -> None:
    incar = read_incar(Path("INCAR").read_text())
    poscar = ase.io.read("POSCAR", format="vasp")
    fault = incar["SYSTEM"]
    check_inputs(incar, poscar)
    print(" running on    1 total cores\n vasp.6.3.0 20Jan22 (build stand-in) complex")
    Path("WAVECAR").write_bytes(b"large")
    if fault == "hang":
        time.sleep(600)
    if fault == "crash":
        print("\n |     EEEEEEE  RRRRRR   RRRRRR   OOOOOOO  RRRRRR      |")
        print(" |     The distance between some ions is very small.   |")
        print(" |                                                     |")
        sys.exit(1)
    if fault == "killed":
        os.kill(os.getpid(), 9)
    poscar.calc = LennardJones(**LJ)
    result = (poscar.get_potential_energy(), poscar.get_forces(), poscar.get_stress(voigt=False))
    # the field of a charge on each ion tells K from Cl
    field_eV_A = np.array([SIGMAS[symbol] for symbol in poscar.symbols])
    field_eV_A -= field_eV_A.mean()
    energy_eV = result[0] - field_eV_A @ poscar.positions[:, 0]
    forces_eV_A = result[1] + np.outer(field_eV_A, [1, 0, 0])
    Path("vasprun.xml").write_text(vasprun(poscar, energy_eV, forces_eV_A, result[2], fault))
    most = int(incar.get("NELM", 60))
    Path("OUTCAR").write_text(outcar(energy_eV, min(12, most), most, fault))


def read_incar(text: str) -> dict[str, str]:
    return dict(map(str.strip, line.split("=")) for line in text.splitlines())


def check_inputs(incar: dict, poscar) -> None:
    """As VASP would: species of POTCAR in the order of POSCAR, and a grid of k-points."""
    potcar = Path("POTCAR").read_text()
    order = [line.split("=")[1].split(":")[0] for line in potcar.splitlines() if "VRHFIN" in line]
    assert order == list(dict.fromkeys(poscar.get_chemical_symbols())), "POTCAR is not as POSCAR"
    assert Path("KPOINTS").exists() != ("KSPACING" in incar)
    assert (incar["NSW"], incar["IBRION"], incar["ISIF"]) == ("0", "-1", "2")


def outcar(energy_eV: float, steps: int, most: int, fault: str) -> str:
    """VASP 5 says that EDIFF is reached, whatever happened."""
    lines = [" vasp.6.3.0 20Jan22 (build stand-in) complex"]
    lines.append(f"   NELM   = {most:6d};   NELMIN=  2; NELMDL= -5     # of ELM steps ")
    for step in range(1, steps + 1):
        dashes = 39 * "-"
        lines.append(f"{dashes} Iteration {1:6d}({step:4d})  {dashes}")
        lines.append("  total energy-change (2. order) : 0.1E-3")
    reached = steps < most or fault == "version 5"
    told = "because EDIFF is reached" if reached else "EDIFF was not reached (unconverged)"
    if fault != "silent":
        lines.append(f"------------------------ aborting loop {told} ----------------")
    lines += [f"  free  energy   TOTEN  = {energy_eV:18.8f} eV", ""]
    if fault != "cut short":
        lines += [" General timing and accounting informations for this job:", " Elapsed time: 1.0"]
    return "\n".join(lines)


def vasprun(atoms, energy_eV: float, forces_eV_A, stress_eV_A3, fault: str) -> str:
    def rows(name: str, array) -> str:
        lines = "".join(f"<v> {x:16.8f} {y:16.8f} {z:16.8f} </v>\n" for x, y, z in array)
        return f'<varray name="{name}" >\n{lines}</varray>\n'

    def energies() -> str:
        names = {"e_fr_energy": 0.0, "e_wo_entrp": 2 * ENTROPY_EV, "e_0_energy": ENTROPY_EV}
        lines = (f'<i name="{name}">{energy_eV + more:16.8f} </i>' for name, more in names.items())
        return f"<energy>\n{''.join(lines)}</energy>\n"

    atom_rows = "".join(f"<rc><c>{symbol}</c><c> 1</c></rc>\n" for symbol in atoms.symbols)
    crystal = f"<crystal>{rows('basis', atoms.cell[:])}</crystal>"
    structure = f"{crystal}{rows('positions', atoms.get_scaled_positions())}</structure>\n"
    # VASP's stress is in kB, positive where the cell pushes outwards
    stress_kB = -np.array(stress_eV_A3) / units.GPa * 10
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n'
        '<generator><i name="program" type="string">vasp </i></generator>\n'
        f"<kpoints>{rows('kpointlist', [[0, 0, 0]])}"
        '<varray name="weights" ><v> 1.0 </v></varray></kpoints>\n'
        '<parameters><separator name="electronic" ><i name="ENCUT"> 520.0</i></separator>\n'
        "</parameters>\n"
        f'<atominfo><array name="atoms" ><set>{atom_rows}</set></array></atominfo>\n'
        f'<structure name="initialpos" >{structure}'
        f"<calculation>\n<scstep>{energies()}</scstep>\n<structure>{structure}"
        f"{rows('forces', forces_eV_A)}{rows('stress', stress_kB)}{energies()}"
        "</calculation>\n</modeling>\n"
    )
    if fault == "no stress":
        text = text.replace(rows("stress", stress_kB), "")
    if fault == "stars":
        text = text.replace(f"{forces_eV_A[0, 0]:16.8f}", "*" * 16)
    return text[: len(text) // 2] if fault == "xml cut short" else text


if __name__ == "__main__":
    main()
