"""Reading of system and study files, with all defaults filled in, before any job runs."""

import difflib
import sys
from collections.abc import Callable
from pathlib import Path

from minset.config.checks import observable_mistakes, study_mistakes, system_mistakes
from minset.config.defaults import (
    fill_from_systems,
    fill_hashes,
    fill_masses,
    fill_potential_of_pool,
    fill_potentials,
)
from minset.config.doubts import doubts
from minset.config.schema import Validator, fill_defaults, schema_file, schema_of
from minset.config.strict_yaml import parse
from minset.config.version_1 import upgraded
from minset.config.words import ConfigError, in_words, one_line

# keys of config/config.yaml and of Snakemake's --config
KEYS = ("mdsuite_python", "model", "study")


def require_known_keys(given) -> None:
    """Stop at keys of Snakemake's ``config`` that mean nothing here.

    Parameters
    ----------
    given
        Keys of config/config.yaml and of ``--config``.

    Raises
    ------
    ConfigError
        With each of them and the one that may be meant.
    """
    lines = []
    for key in sorted(map(str, set(given) - set(KEYS))):
        near = difflib.get_close_matches(key.lower(), KEYS, n=1)
        meant = f"write {near[0]}" if near else f"known are {', '.join(KEYS)}"
        lines.append(
            f"--config {one_line(key)}=...: unknown key; {meant} (settings of a study stand in its file)"
        )
    if lines:
        raise ConfigError("\n".join(lines))


def study_name_of(value) -> str:
    """Name of the study from ``config["study"]``, where Snakemake may have made a number of it.

    Raises
    ------
    ConfigError
        If it is no text, with the way to write it that keeps it text.
    """
    if isinstance(value, str) and value:
        return value
    if value is None or value == "":
        raise ConfigError("study: no study is named; write --config study=<name>")
    raise ConfigError(
        f"study: Snakemake takes this name for {one_line(repr(value))}; write "
        "--config 'study=!!str <name>', or study: '<name>' with its quotes in config/config.yaml"
    )


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def load_study(
    name: str, folder: Path = Path("config"), say: Callable[[str], None] = _to_stderr
) -> tuple[dict, dict[str, dict]]:
    """Read a study and its systems, with all defaults filled in.

    Parameters
    ----------
    name
        Of ``<folder>/studies/<name>.yaml``.
    folder
        Holds ``studies/`` and ``systems/``.
    say
        Takes a line for each file of version 0.1, with the new names of its keys, and one for each
        doubt, see ``minset.config.doubts``.

    Returns
    -------
    study, systems
        ``systems`` maps the names in ``study["systems"]`` to the content of their files.

    Raises
    ------
    ConfigError
        With file, key and remedy of every mistake found.
    """
    rule = schema_file("study")["$defs"]["study_name"]
    if not Validator(rule).is_valid(name):
        raise ConfigError(f"study: {name!r} cannot be the name of a study: {rule['description']}")
    folder = Path(folder)
    path = folder / "studies" / f"{name}.yaml"
    study = _read(path, "study", say)
    if other := study["pool"].get("study"):
        study["pool"] |= _pool_of(other, path)
    paths = {system: folder / "systems" / f"{system}.yaml" for system in study["systems"]}
    systems = {system: _read_system(file, say) for system, file in paths.items()}
    first = next(iter(systems.values()))
    fill_potential_of_pool(study["pool"], first)
    fill_from_systems(study, systems)
    study["sizes"].sort()
    mistakes = [f"{path}: {mistake}" for mistake in observable_mistakes(study, systems)]
    mistakes += [
        f"{path}: {mistake}"
        for system, content in systems.items()
        for mistake in study_mistakes(study, content, paths[system])
    ]
    if mistakes:
        # what does not depend on the system is found once for each
        raise ConfigError("\n".join(dict.fromkeys(map(one_line, mistakes))))
    for doubt in doubts(study, systems):
        say(one_line(f"{path}: {doubt}"))
    return study, systems


def _pool_of(name: str, path: Path) -> dict:
    """Settings of the pool of another study, for the study at ``path``."""
    folder = path.parents[1]
    try:
        other = _read(path.with_name(f"{name}.yaml"), "study", lambda line: None)
        pool = other["pool"]
        if "study" not in pool:
            file = folder / "systems" / f"{other['systems'][0]}.yaml"
            fill_potential_of_pool(pool, _read_system(file, lambda line: None))
    except ConfigError as error:
        raise ConfigError(f"{path}: pool.study: {error}") from error
    if "study" in pool:
        raise ConfigError(
            f"{path}: pool.study: {name} has no pool of its own; name {pool['study']}"
        )
    return pool


def _read_system(path: Path, say: Callable[[str], None]) -> dict:
    """A system file with masses, complete potentials and the hashes of their files."""
    system = _read(path, "system", say)
    fill_masses(system)
    if mistakes := system_mistakes(system) or fill_potentials(system) or fill_hashes(system):
        raise ConfigError("\n".join(one_line(f"{path}: {m}") for m in mistakes))
    return system


def _read(path: Path, kind: str, say: Callable[[str], None]) -> dict:
    """Content of a file that its schema allows, with the schema's defaults."""
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ConfigError(f"{path} does not exist; there are: {known}")
    content, renamed = upgraded(parse(path), kind)
    if renamed:
        say(f"{path} is of version 0.1 and goes on as it is; new names: {'; '.join(renamed)}")
    schema = schema_of(kind, content)
    _require(content, schema, path)
    fill_defaults(content, schema)
    # a section that is left out may lack a key that its entry needs
    _require(content, schema, path)
    return content


def _require(content, schema: dict, path: Path) -> None:
    """Raise ConfigError with a line for each mistake that the schema finds."""
    # several missing keys of one place are one error each, and one line
    errors = Validator(schema).iter_errors(content)
    if lines := {f"{path}: {one_line(in_words(error))}" for error in errors}:
        raise ConfigError("\n".join(sorted(lines)))
