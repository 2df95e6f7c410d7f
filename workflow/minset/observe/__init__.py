"""Observables of trajectories and errors of models, as tidy tables with units in their columns.

A new observable is one module with a function from a `trajectory.Trajectory` (or a table of
thermodynamic data) to a pandas table, and one output of the rule that calls it. MDSuite computes
the same observables in its own environment: ``scripts/mdsuite_observables.py``.
"""
