"""MD of contestants that LAMMPS runs: NVE."""

from collections.abc import Callable

from ase import Atoms

from peers.environments import REPOSITORY

STUDY, SYSTEM = "kcl-dft-laptop", "kcl"


def study():
    """The study whose frames all get."""
    from minset.study import read_study

    return read_study(STUDY, REPOSITORY / "config")


def nve(atoms: Atoms, attach: Callable) -> Callable[[int], None]:
    """Run so many steps of 1 fs.

    ``attach(lmp, symbols, system)`` gives LAMMPS its forces; ids are the order of ``symbols``, types
    that of the system's species. It returns a function that returns what broke, or None.

    Raises
    ------
    RuntimeError
        If the dynamics broke.
    """
    from minset.md.session import load_atoms, open_lammps

    system = study().md_system(SYSTEM)
    lmp = open_lammps()
    load_atoms(lmp, atoms, system, velocities=True)
    alarm = attach(lmp, list(atoms.symbols), system)
    for command in ("neighbor 2.0 bin", "timestep 0.001", "fix integrate all nve"):
        lmp.command(command)
    lmp.command("run 0 post no")

    def run(n: int) -> None:
        lmp.command(f"run {n} pre no post no")
        if broken := alarm():
            raise RuntimeError(f"the dynamics broke: {broken.reason}")

    return run
