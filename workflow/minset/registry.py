"""What the records of all registries share.

A registry is a dictionary from names to records. A record stands beside the function that it
describes and holds, with it, the schema of its options, what it needs, its environment and its
cost.
"""


def defaults_of(options: dict) -> dict:
    """Defaults of the options of a record (JSON schema ``properties``), for those that have one."""
    return {name: option["default"] for name, option in options.items() if "default" in option}
