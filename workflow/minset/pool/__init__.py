"""Pool generators: where candidate frames come from.

A generator is ``generate(system, settings, folder) -> list of Atoms``; a new one is one module with
such a function and one line here. Names are resolved with ``pkgutil.resolve_name``.
"""

GENERATORS = {"npt_ramp": "minset.pool.npt_ramp:npt_ramp"}
