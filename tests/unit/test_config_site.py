"""profiles/slurm/site.yaml: names stay what was written, from the file to what a job asks for."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minset.config import ConfigError
from minset.config.site import read_site

PROFILES = Path(__file__).parents[2] / "profiles"
NAMES = [
    *("proj-01", "12345", "0123", "1_2", "1e3", "2026-11", "2026-11-25", "12-3", "max", "a.b"),
    *("no", "1.50", "0x10", "threads", "input", "attempt"),
]


def site(tmp_path, text: str) -> dict:
    (tmp_path / "site.yaml").write_text(text)
    return read_site(tmp_path / "site.yaml")


def mistakes(tmp_path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        site(tmp_path, text)
    return str(caught.value).splitlines()


def test_the_site_that_comes_with_minset_is_empty():
    empty = {"account": None, "partitions": {}, "gpu_model": None, "modules": {}}
    assert read_site(PROFILES / "slurm/site.yaml") == empty


@pytest.mark.parametrize("text", ["", "account:", "account: ~\ngpu_model: null", "partitions:"])
def test_what_is_left_empty_is_slurm_s_own(text, tmp_path):
    assert site(tmp_path, text) == read_site(PROFILES / "slurm/site.yaml")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_an_account_is_what_was_written(name, quote, tmp_path):
    assert site(tmp_path, f"account: {quote}{name}{quote}")["account"] == name


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Path:
    """A folder whose one job says the account that it would ask for."""
    folder = tmp_path_factory.mktemp("cluster")
    shutil.copytree(PROFILES, folder / "profiles")
    (folder / "slurm").symlink_to("profiles/slurm")
    (folder / "Snakefile").write_text(
        "rule a:\n    output: 'x'\n    shell: 'echo ACCOUNT={resources.slurm_account}. > {output}'\n"
    )
    return folder


@pytest.mark.parametrize("name", ["0123", "1e3", "2026-11", "max", "no"])
def test_a_job_asks_for_the_account_that_was_written(name, cluster, monkeypatch):
    """Through Snakemake, which evaluates resources as Python."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(cluster / "nobody"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(cluster / "nowhere"))
    file = cluster / "profiles/slurm/site.yaml"
    file.write_text(re.sub("(?m)^account:.*", f"account: {name}", file.read_text()))
    command = [sys.executable, "-m", "snakemake", "-n", "-p", "--profile", "slurm", "x"]
    done = subprocess.run(command, cwd=cluster, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"ACCOUNT={name}." in done.stdout + done.stderr


SITE = """
account: 0123
gpu_model: 1e3
modules: {cp2k: [gcc/13.2, 2024.10], vasp: [1e3]}
partitions:
  '0123': {max_runtime: 4320, max_mem_mb: 190000, available_gpu_models: ['1e3', a100]}
  gpu: {max_gpu: 4, cluster: '1'}
"""


def test_all_names_of_a_site_are_text(tmp_path):
    found = site(tmp_path, SITE)
    assert found["account"] == "0123"
    assert found["gpu_model"] == "1e3"
    assert found["modules"] == {"cp2k": ["gcc/13.2", "2024.10"], "vasp": ["1e3"]}
    assert found["partitions"]["0123"]["available_gpu_models"] == ["1e3", "a100"]
    assert found["partitions"]["gpu"] == {"max_gpu": 4, "cluster": "1"}


def test_modules_by_their_old_key_are_those_of_cp2k(tmp_path):
    assert site(tmp_path, "cp2k_modules: [2024.10]")["modules"] == {"cp2k": ["2024.10"]}
    both = site(tmp_path, "cp2k_modules: [a]\nmodules: {cp2k: [b], vasp: [c]}")
    assert both["modules"] == {"cp2k": ["b"], "vasp": ["c"]}


MISTAKES = {
    "partition that is a number": (
        "partitions: {0123: {max_gpu: 1}}",
        "YAML takes a name here for 83",
    ),
    "partition that is a date": ("partitions: {2026-11-25: {}}", "write it in quotes"),
    "partition that is true": ("partitions: {on: {}}", "YAML takes a name here for True"),
    "GPU that is a number": (
        "partitions: {gpu: {available_gpu_models: [100]}}",
        "partitions.gpu.available_gpu_models: YAML takes a name here for 100; write it in quotes",
    ),
    "cluster that is a number": ("partitions: {gpu: {cluster: 1}}", "partitions.gpu.cluster: YAML"),
    "partition without limits": ("partitions: {cpu: }", "partitions.cpu: it must have limits"),
    "limit in words": (
        "partitions: {cpu: {max_runtime: 3 days}}",
        "partitions.cpu.max_runtime: '3 days' must be a whole number",
    ),
    "partitions in a list": ("partitions: [cpu]", "partitions: it must have the limits of each"),
    "unknown key": ("acount: me", "acount: unknown key; known are account, "),
    "account that a shell would read": ("account: $HOME", "account: '$HOME' is no name"),
    "accounts in a list": ("account: [a, b]", "account: ['a', 'b'] is no name"),
    "GPU with a hyphen": ("gpu_model: tesla-v100", "gpu_model: 'tesla-v100' is no name"),
    "modules as text": ("modules: {vasp: vasp/6}", "modules.vasp: it must be a list of names"),
    "modules as text, old key": ("cp2k_modules: cp2k/2024.3", "cp2k_modules: it must be a list of"),
    "modules of nothing": ("modules: [cp2k/2024.3]", "modules: it must have lists of names by lab"),
    "modules of no labeler": (
        "modules: {vsap: [a]}",
        "modules.vsap: there is no such labeler; choo",
    ),
    "no YAML": ("account: [a", "is not valid YAML"),
    "a date that is none": ("gpu_model: 2026-99-99", "must be quoted"),
    "no keys": ("- account", "it must have keys"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_with_file_key_and_remedy(case, tmp_path):
    text, what = MISTAKES[case]
    (line,) = mistakes(tmp_path, text)
    assert line.startswith(str(tmp_path / "site.yaml"))
    assert what in line


def test_mistakes_are_reported_together(tmp_path):
    assert len(mistakes(tmp_path, "acount: me\npartitions: {1: {max_gpu: x}}\ngpu_model: a b")) == 4


def test_a_site_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"site.yaml cannot be read: No such file or directory"):
        read_site(tmp_path / "site.yaml")
