"""Studies and salts with any content: loaded and safe to use, or ConfigError with the file's name."""

import copy
import math
import re
import time
from pathlib import Path

import yaml
from ase import Atoms
from fuzzing import SCALE, damaged, fuzz, show
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minset.config import ConfigError, load_study, reading, simulation_density
from minset.config.registries import registry
from minset.label import cp2k
from minset.potential import commands_of

STUDY, SALT = "demo", "kcl"
NAME = re.compile(r"[A-Za-z0-9_]{1,60}")
FILE = r'"""[^"\n]+/Al_mm\.eam\.fs"""'
COMMAND = re.compile(rf"[a-z_]+( [a-z0-9./+-]+)+|pair_coeff \* \*( {FILE}( [A-Z][a-z]?)+)?")
HOSTILE = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        32.0,
        1e15,
        2**63,
        10**400,
        -0.0,
        5e-324,
        "",
        " ",
        "nan",
        [],
        {},
    ),
    *(math.nan, math.inf, -math.inf, 1e308, 1e-300, 10**15, [1, 1], [[]], {1: 2}, {"": ""}, b"x"),
    *(
        "../../x",
        "/etc/passwd",
        "-rf",
        "a b",
        "Na\n",
        "Na\n&END",
        "Na; shell rm",
        "$(touch x)",
        "`x`",
    ),
    *(
        "{system}",
        "ä",
        "x" * 300,
        "a\x00b",
        "\x1b[31m",
        "store",
        ".",
        "..",
        "No",
        "Xx",
        "KIND",
        "|x",
    ),
    *(
        "demo",
        "demo-classical",
        "gap",
        "npt_grid",
        "cp2k",
        "lammps",
        "potential",
        "tosi_fumi",
        "experiment",
        "'",
        "\u202e",
    ),
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.sampled_from(HOSTILE) | st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4),
    max_leaves=6,
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["value", "key", "new key", "away", "scale"]),
        st.integers(0, 10**6),
        VALUES,
        st.floats(-10, 10),
    ),
    min_size=1,
    max_size=3,
)
FEW = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}


def places(content) -> list[tuple]:
    """Every container with each of its keys or indices."""
    keys = content if isinstance(content, dict) else range(len(content))
    found = [(content, key) for key in keys]
    for key in keys:
        if isinstance(content[key], dict | list):
            found += places(content[key])
    return found


def change(files: dict, kind: str, number: int, value, factor: float) -> None:
    place, key = (found := places(files))[number % len(found)]
    if place is files:  # the content of a whole file
        place, key = files, list(files)[number % len(files)]
    if kind == "value":
        place[key] = value
    elif kind == "scale" and isinstance(place[key], int | float):
        place[key] = type(place[key])(place[key] * factor)
    elif kind == "away" and place is not files:
        del place[key]
    elif kind in ("key", "new key") and isinstance(place, dict) and place is not files:
        old = place.pop(key) if kind == "key" else copy.deepcopy(place[key])
        place[value if isinstance(value, str | int | float | None) else str(value)] = old


def numbers_in(content):
    if isinstance(content, dict):
        content = [*content, *content.values()]
    if isinstance(content, list):
        for value in content:
            yield from numbers_in(value)
    elif isinstance(content, float):
        yield content


def require_safe(study: dict, systems: dict) -> None:
    """What the workflow makes of a study that was loaded: paths, plans, inputs of LAMMPS and CP2K."""
    assert all(map(math.isfinite, numbers_in([study, systems])))
    names = [*systems, *study["selectors"], *study["models"], *study["simulations"]]
    assert all(isinstance(name, str) and NAME.fullmatch(name) for name in names), names
    for run in registry("generators")[study["pool"]["generator"]].plan(study["pool"]):
        assert re.fullmatch(r"[A-Za-z0-9._+-]{1,100}", run["name"])
    for key in ("sizes", "seeds"):
        assert all(type(number) is int for number in study[key])
    for name, system in systems.items():
        assert isinstance(system["name"], str)
        for simulation in study["simulations"].values():
            assert 0 < simulation_density(system, simulation) < math.inf, name
        assert {study["pool"]["potential"], *study["reference"]} <= set(system["potentials"])
        for key, value in system["potentials"].items():
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key)
            for command in commands_of({"species": system["species"], "potential": value}):
                assert COMMAND.fullmatch(command), command
        if study["labels"]["labeler"] == "cp2k":
            settings = cp2k.DEFAULTS | system["cp2k"] | study["labels"]["settings"]
            frame = Atoms(list(system["species"]), cell=[9, 9, 9], pbc=True)
            source = cp2k.cp2k_input(frame, settings)
            sections = [line.split()[0] for line in source.split("\n") if line.strip()[:1] == "&"]
            assert sections.count("&END") * 2 == len(sections)
            assert sections.count("&KIND") == len(system["species"])
            assert all(len(line.split()) <= 6 and line.isprintable() for line in source.split("\n"))


def check(name: str, folder: Path) -> bool:
    """Load a study; True if it can be loaded, and then it is safe."""
    try:
        study, systems = load_study(name, folder)
    except ConfigError as error:
        for line in str(error).split("\n"):
            assert line.startswith((str(folder), "study: ")), line
            assert line.isprintable(), line
        return False
    require_safe(study, systems)
    return True


def test_content(config, monkeypatch, capsys):
    """Content that is changed after it was read: faster than through YAML."""
    good = {path.stem: yaml.safe_load(path.read_text()) for path in config.glob("*/*.yaml")}
    files, loaded, began = {}, [], time.monotonic()
    monkeypatch.setattr(reading, "parse", lambda path: copy.deepcopy(files[path.stem]))

    @settings(**FEW, max_examples=round(600 * SCALE))
    @given(
        st.sampled_from([STUDY, "demo-classical", "demo-metal", "nacl-selectors-laptop"]), CHANGES
    )
    def attempt(study, changes):
        files.clear()
        files.update(copy.deepcopy(good))
        changed = {name: files[name] for name in (study, *good[study]["systems"])}
        for one in changes:
            change(changed, *one)
        files.update(changed)
        loaded.append(check(study, config))

    attempt()
    show(capsys, "study and salt, content", len(loaded), time.monotonic() - began)
    assert 0 < sum(loaded) < len(loaded)


TOKENS = [
    *(
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!python/object/apply:os.system [touch x]",
        b"!!python/name:os ",
        b"!!int ",
    ),
    *(
        b"!!float ",
        b"!!timestamp ",
        b"!!bool ",
        b"!!binary ",
        b"!!set ",
        b"!!omap ",
        b"!x ",
        b".nan",
        b".inf",
    ),
    *(
        b"-.inf",
        b"1e999",
        b"2001-99-99",
        b"2001-01-01",
        b"0x" + b"f" * 5000,
        b"9" * 5000,
        b"1:30",
        b"0b_",
    ),
    *(
        b"[" * 2000,
        b"{" * 300,
        b"? [a]\n: b\n",
        b"---\n",
        b"...\n",
        b"\t",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"no",
        b"null",
        b"~",
        b"''",
        b'"\\n"',
        b'"\\x1b"',
        b"|",
        b">",
        b"%YAML 9.9\n",
        b"#",
        b": ",
        b"- ",
        b"\n",
    ),
]


def test_text(config, capsys):
    loaded = []

    def attempt(rng):
        path = config / rng.choice([f"studies/{STUDY}.yaml", f"systems/{SALT}.yaml"])
        good = path.read_bytes()
        path.write_bytes(damaged(rng, good, TOKENS))
        loaded.append(check(STUDY, config))
        path.write_bytes(good)

    fuzz(capsys, "study and salt, text", 150, attempt)
    assert 0 < sum(loaded) < len(loaded)


def test_bytes(config, capsys):
    """Bytes that never were a study."""

    def attempt(rng):
        content = b"".join(rng.choices(TOKENS, k=rng.randrange(1, 8))) + rng.randbytes(
            rng.randrange(9)
        )
        (config / f"studies/{STUDY}.yaml").write_bytes(content)
        assert not check(STUDY, config)

    fuzz(capsys, "study, bytes", 150, attempt)


def test_names(config, capsys):
    """Of a study, as `--config study=` takes them."""
    tried, began = [], time.monotonic()

    @settings(**FEW, max_examples=round(500 * SCALE))
    @given(st.text(max_size=300) | st.sampled_from([h for h in HOSTILE if isinstance(h, str)]))
    def attempt(name):
        tried.append(check(name, config) and name not in ("demo", "demo-classical"))

    attempt()
    show(capsys, "study, name", len(tried), time.monotonic() - began)
    assert not any(tried)
