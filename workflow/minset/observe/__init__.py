"""Observables of trajectories, models and force engines: tidy tables with units in their columns.

A new one is a module with a ``RECORD`` (`minset.observe.record.Observable`) and one line here.
"""

from minset.observe import (
    certificate,
    coverage,
    density,
    elastic,
    equation_of_state,
    errors,
    mdsuite,
    pool_errors,
    rdf,
    relaxation,
    surface_energy,
    transport,
)
from minset.observe.record import Observable, Table

OBSERVABLES = {
    "rdf": rdf.RECORD,
    "transport": transport.RECORD,
    "density": density.RECORD,
    "errors": errors.RECORD,
    "pool_errors": pool_errors.RECORD,
    "mdsuite": mdsuite.RECORD,
    "certificate": certificate.RECORD,
    "relaxation": relaxation.RECORD,
    "equation_of_state": equation_of_state.RECORD,
    "surface_energy": surface_energy.RECORD,
    "elastic": elastic.RECORD,
    "coverage": coverage.RECORD,
}

__all__ = ["OBSERVABLES", "Observable", "Table"]
