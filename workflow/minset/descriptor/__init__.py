"""Descriptors: what selectors see of the frames of a pool and of their atoms.

A new one is one module with a ``RECORD`` and one line here.
"""

from minset.descriptor import bispectrum, schnet
from minset.descriptor.record import Descriptor

DESCRIPTORS: dict[str, Descriptor] = {
    "bispectrum": bispectrum.RECORD,
    "schnet": schnet.RECORD,
}
