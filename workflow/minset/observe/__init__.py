"""Observables of trajectories and errors of models, as tidy tables with units in their columns.

A new one is a module with a ``RECORD`` (`minset.observe.record.Observable`) and one line here.
"""

from minset.observe import certificate, density, errors, mdsuite, rdf, transport
from minset.observe.record import Observable, Table

OBSERVABLES = {
    "rdf": rdf.RECORD,
    "transport": transport.RECORD,
    "density": density.RECORD,
    "errors": errors.RECORD,
    "mdsuite": mdsuite.RECORD,
    "certificate": certificate.RECORD,
}

__all__ = ["OBSERVABLES", "Observable", "Table"]
