"""Labels: energy, forces and stress of a frame from CP2K or from the classical potential.

A new labeler is one module with `label` and `physics_settings`, and one line here.
"""

from minset.label import cp2k, potential
from minset.label.batch import Labeler

LABELERS = {
    "cp2k": Labeler("cp2k", cp2k.label, cp2k.physics_settings, cp2k.STUDY_SETTINGS),
    "lammps": Labeler(
        "lammps", potential.label, potential.physics_settings, potential.STUDY_SETTINGS
    ),
}
