"""A cluster's account, partitions and GPUs: profiles/slurm/site.yaml.

Names in it are text. SLURM's plugin of Snakemake reads the partitions from the same file as YAML means
them, so names that YAML takes for numbers or dates are refused there.
"""

import re
from pathlib import Path

import yaml

from minset.config.registries import registry
from minset.config.words import ConfigError, one_line

_LIMITS = ("max_runtime", "max_mem_mb", "max_gpu")
_NOTHING = ("", "~", "null", "Null", "NULL")
# of version 0.1, still read
_OLD_MODULES = "cp2k_modules"
_ACCOUNT = r"[A-Za-z0-9_.@+-]+([ ,]+[A-Za-z0-9_.@+-]+)*"
_MODULE = r"[A-Za-z0-9_.@+:/-]+"


def read_site(path: Path) -> dict:
    """Site of a cluster.

    Parameters
    ----------
    path
        Of ``site.yaml``.

    Returns
    -------
    dict
        ``account`` and ``gpu_model``, text or None; ``partitions``, their limits in minutes and MB by
        their names; ``modules``, lists of names by labeler.

    Raises
    ------
    ConfigError
        With a line for each mistake.
    """
    path = Path(path)
    site = {"account": None, "partitions": {}, "gpu_model": None, "modules": {}}
    # as it is written, where all is text, and as YAML means it
    written, meant = _parse(path, yaml.BaseLoader), _parse(path, yaml.SafeLoader)
    if not isinstance(written, dict):
        raise ConfigError(f"{path}: it must have keys, of {', '.join(site)}")
    mistakes = [
        f"{key}: unknown key; known are {', '.join(site)}"
        for key in written
        if key not in (*site, _OLD_MODULES)
    ]
    for key, pattern in (("account", _ACCOUNT), ("gpu_model", r"[A-Za-z0-9_.]+")):
        value = written.get(key, "")
        if not isinstance(value, str) or not (value in _NOTHING or re.fullmatch(pattern, value)):
            mistakes.append(f"{key}: {value!r} is no name; its letters must be of {pattern}")
        elif value not in _NOTHING:
            site[key] = value
    if meant.get("modules"):
        site["modules"] = written["modules"]
        mistakes += _modules_mistakes(written["modules"])
    if meant.get(_OLD_MODULES):
        old = {"cp2k": written[_OLD_MODULES]}
        if found := _modules_mistakes(old):
            mistakes += [m.replace("modules.cp2k", _OLD_MODULES) for m in found]
        elif isinstance(site["modules"], dict):
            site["modules"] = old | site["modules"]
    if meant.get("partitions"):
        site["partitions"] = meant["partitions"]
        mistakes += _partition_mistakes(meant["partitions"])
    if mistakes:
        raise ConfigError("\n".join(one_line(f"{path}: {mistake}") for mistake in mistakes))
    return site


def _parse(path: Path, loader: type) -> dict:
    try:
        content = yaml.load(path.read_text("utf-8"), Loader=loader)  # noqa: S506 - safe ones
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # PyYAML raises its own and, of bad dates and numbers, many more
        raise ConfigError(
            f"{path} is not valid YAML: {one_line(str(error))}; names that look like numbers or "
            "dates must be quoted"
        ) from error
    return {} if content in (None, "") else content


def _is_name(value, pattern: str) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _modules_mistakes(modules) -> list[str]:
    """Modules that are no lists of names by labeler."""
    if not isinstance(modules, dict):
        return [
            "modules: it must have lists of names by labeler, like {cp2k: [gcc/13.2, cp2k/2024.3]}"
        ]
    labelers = sorted(registry("labelers"))
    mistakes = [
        f"modules.{labeler}: there is no such labeler; choose from {', '.join(labelers)}"
        for labeler in modules
        if labeler not in labelers
    ]
    return mistakes + [
        f"modules.{labeler}: it must be a list of names, like [gcc/13.2, cp2k/2024.3]"
        for labeler, names in modules.items()
        if not isinstance(names, list) or not all(_is_name(name, _MODULE) for name in names)
    ]


def _partition_mistakes(partitions) -> list[str]:
    """Names that are no text to YAML, and limits that are no whole numbers."""
    if not isinstance(partitions, dict):
        return ["partitions: it must have the limits of each by its name, or be {} for none"]
    mistakes = []
    for name, limits in partitions.items():
        where = f"partitions.{name}"
        if not isinstance(name, str):
            mistakes.append(_quoted_mistake("partitions", name))
        if not isinstance(limits, dict):
            mistakes.append(f"{where}: it must have limits, like {{max_runtime: 1440}}, or be {{}}")
            continue
        for key in _LIMITS:
            value = limits.get(key, 0)
            if not isinstance(value, int) or isinstance(value, bool):
                mistakes.append(f"{where}.{key}: {value!r} must be a whole number")
        for key in ("cluster", "clusters", "slurm_cluster"):
            if not isinstance(limits.get(key, ""), str):
                mistakes.append(_quoted_mistake(f"{where}.{key}", limits[key]))
        models = limits.get("available_gpu_models") or []
        if not isinstance(models, list):
            mistakes.append(
                f"{where}.available_gpu_models: it must be a list of names, like [a100]"
            )
            continue
        mistakes += [
            _quoted_mistake(f"{where}.available_gpu_models", model)
            for model in models
            if not isinstance(model, str)
        ]
    return mistakes


def _quoted_mistake(where: str, value) -> str:
    return f"{where}: YAML takes a name here for {value!r}; write it in quotes, like '0123'"
