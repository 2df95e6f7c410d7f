"""The profile `slurm`: how it is found, and a real SLURM on this machine with a GPU that is /dev/null.

slurmctld, slurmd and munged run in a folder of their own and end with the tests.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from running import OF_MDSUITE, SHORT, clone_repository, kill, run, snakemake, start
from snakemake.profiles import ProfileConfigFileParser

NEEDED = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol"]
NODE = socket.gethostname().split(".")[0]
# no accounting here, and nobody wants to wait
ARGUMENTS = [
    *("--profile", "slurm", "--slurm-status-command", "squeue", "--latency-wait", "20"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
]
SITE = {
    "partitions": {
        "cpu": {"max_runtime": 600, "max_mem_mb": 30000},
        "gpu": {"max_runtime": 600, "max_mem_mb": 30000, "max_gpu": 1},
    },
    "gpu_model": "fake",
}
# all other rules take seconds and run where Snakemake does
ON_NODES = {
    *("pool_run", "pool", "describe", "select", "label", "train_schnet", "observe_errors"),
    *("start", "simulate", "observe_rdf", "observe_transport", *OF_MDSUITE),
}
# more than SLURM's shortest time limit of a minute on any machine, and some time to take a node away
SLOW = yaml.safe_load(SHORT)
SLOW["simulations"]["nvt"] |= {"duration_ps": 2000, "sample_ps": 1, "observables": []}
SLOW["simulations"]["second"] = SLOW["simulations"]["nvt"] | {"duration_ps": 500}
START = "results/kcl/simulation/slow/nvt/start.extxyz"
SLOW_RUN = "results/kcl/simulation/slow/{}/bmhtf"

SLURM_CONF = """
ClusterName=test
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog={folder}/prolog.sh
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
MinJobAge=86400
KillWait=2
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000 Gres=gpu:fake:1
PartitionName=cpu Nodes=ALL Default=YES
PartitionName=gpu Nodes=ALL
PartitionName=own Nodes=ALL
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A copy of the repository in which nobody has a profile of their own."""
    folder = clone_repository(tmp_path_factory.mktemp("clone"))
    (folder / "config/studies/slow.yaml").write_text(yaml.safe_dump(SLOW))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "nobody"))
        patch.setenv("XDG_CONFIG_DIRS", str(folder / "nowhere"))
        yield folder


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def wait_for(what, seconds: float, *arguments):
    """The first true answer of a function that is asked again and again."""
    deadline = time.monotonic() + seconds
    while not (answer := what(*arguments)):
        assert time.monotonic() < deadline, f"{what.__name__} after {seconds:g} s"
        time.sleep(0.2)
    return answer


def node_is_idle() -> bool:
    with contextlib.suppress(subprocess.SubprocessError):
        return ask("sinfo", "-h", "-p", "cpu", "-o", "%T").strip() == "idle"
    return False


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A SLURM of one node with two processors and one GPU; its folder has what TaskProlog wrote."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [name for name in NEEDED if not shutil.which(name, path=path)]:
        pytest.skip(f"no SLURM: {', '.join(missing)} missing; `envs/setup.sh slurm`")
    if os.geteuid() != 0:
        pytest.skip("slurmd and munged run jobs of any user, so this test starts them as root")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = SLURM_CONF.format(node=NODE, folder=folder, ports=free_ports(2))
    (folder / "slurm.conf").write_text(conf)
    (folder / "gres.conf").write_text("Name=gpu Type=fake File=/dev/null\n")
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    (folder / "prolog.sh").write_text(
        f'#!/bin/sh\necho "$SLURM_JOB_ID:$CUDA_VISIBLE_DEVICES" >> {folder}/tasks\n'
    )
    (folder / "prolog.sh").chmod(0o755)
    # Snakemake's jobs start srun without the variables of SLURM, this one too
    (folder / "srun").write_text(
        f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
    )
    (folder / "srun").chmod(0o755)
    munge = [f"--{n}={folder}/munge.{n}" for n in ("socket", "pid-file", "log-file", "seed-file")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{path}")
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        commands = [
            ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key", *munge],
            ["slurmctld", "-D"],
            ["slurmd", "-D"],
        ]
        daemons = []
        try:
            for command in commands:
                with open(folder / f"{command[0]}.out", "w") as out:
                    daemons.append(
                        subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
                    )
                time.sleep(0.5)
            wait_for(node_is_idle, 60)
            yield folder
        finally:
            with contextlib.suppress(subprocess.SubprocessError):
                ask("scancel", "--user", "root")
                wait_for(node_is_idle, 20)
            for daemon in reversed(daemons):
                kill(daemon)
            kill_processes_with(f"SLURM_CONF={folder}/slurm.conf")


def kill_processes_with(variable: str) -> None:
    """End what was started with this variable in its environment: steps outlive slurmd."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if variable.encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


def jobs(after: int = 0) -> list[SimpleNamespace]:
    """SLURM's own records of the jobs after a given one, oldest first."""
    found = []
    for line in ask("scontrol", "show", "job", "--oneliner").splitlines():
        job = dict(re.findall(r"(\S+?)=(\S*)", line))
        if job and int(job["JobId"]) > after:
            rule = re.match(r"rule_(.+)_wildcards_", job["Comment"])[1]
            found.append(SimpleNamespace(**{"TresPerJob": ""} | job, rule=rule))
    return sorted(found, key=lambda job: int(job.JobId))


def last_job() -> int:
    return max((int(job.JobId) for job in jobs()), default=0)


def shown(found: list[SimpleNamespace]) -> str:
    """What pytest -s shows of jobs: one line each."""
    keys = (
        "JobId",
        "Comment",
        "Partition",
        "TresPerJob",
        "TimeLimit",
        "JobState",
        "Restarts",
        "RunTime",
    )
    return "\n".join(" ".join(getattr(job, key) for key in keys) for job in found)


def configure(clone: Path, **site) -> None:
    (clone / "profiles/slurm/site.yaml").write_text(yaml.safe_dump(SITE | site))


def settings(clone: Path, *arguments: str) -> dict:
    """What Snakemake makes of a command line and the profiles it names."""
    code = (
        "import json, sys; from snakemake.cli import parse_args; parsed = parse_args(sys.argv[1:])[1];"
        "names = ('executor', 'jobs', 'retries', 'default_resources', 'slurm_partition_config');"
        "print(json.dumps({name: str(getattr(parsed, name)) for name in names}))"
    )
    said = run(clone, "python", "-c", code, *arguments, seconds=60)
    assert said.status == 0, said.output
    return json.loads(said.output.splitlines()[-1])


def test_the_profile_is_found_by_its_name(clone):
    found = settings(clone, "--profile", "slurm")
    assert found["executor"] == "slurm"
    assert found["slurm_partition_config"] == "slurm/site.yaml"
    assert "account" not in found["default_resources"]


def test_the_account_of_the_site_is_charged(clone, monkeypatch):
    configure(clone, account="melts")
    monkeypatch.chdir(clone)
    with open("slurm/config.yaml") as file:
        parsed = ProfileConfigFileParser().parse(file)
    # in quotes: Snakemake reads resources as Python, to which an account 0123 or 1e3 is a number
    assert "slurm_account='melts'" in parsed["default-resources"]


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"])
def test_a_profile_of_ones_own_or_of_the_site_is_used_instead(
    clone, tmp_path, monkeypatch, variable
):
    folder = tmp_path / "snakemake/slurm"
    folder.mkdir(parents=True)
    own = {"executor": "slurm", "jobs": 7, "slurm-partition-config": "partitions.yaml"}
    (folder / "config.v8+.yaml").write_text(yaml.safe_dump(own))
    (folder / "partitions.yaml").write_text("partitions: {}")
    monkeypatch.setenv(variable, str(tmp_path))
    found = settings(clone, "--profile", "slurm")
    assert found["jobs"] == "7"
    assert found["slurm_partition_config"] == str(folder / "partitions.yaml")
    assert found["retries"] == "0"


def test_a_copy_of_the_profile_as_ones_own_is_refused(clone, tmp_path, monkeypatch):
    shutil.copytree(clone / "profiles/slurm", tmp_path / "snakemake/slurm")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    said = snakemake(clone, "slow", "--profile", "slurm", "--dry-run", seconds=60)
    assert said.status != 0
    assert "config.yaml is a copy of profiles/slurm/config.yaml: remove it" in said.output


@pytest.mark.parametrize(
    ("site", "message"),
    [
        ({"partition": "cpu"}, "site.yaml: partition: unknown key; known are account, partitions"),
        (
            {"partitions": {"cpu": {"max_runtime": "3d"}}},
            "site.yaml: partitions.cpu.max_runtime: '3d' must be a whole number",
        ),
    ],
)
def test_a_mistake_in_the_file_of_the_site_is_one_clear_line(clone, site, message):
    configure(clone, **site)
    said = snakemake(clone, "slow", "--dry-run", seconds=60)
    assert said.status != 0
    assert message in said.output
    assert "Traceback" not in said.output


@pytest.mark.timeout(2400)
def test_a_study_runs_through_slurm_with_its_gpu_rules_on_gpus(clone, cluster):
    configure(clone)
    study = yaml.safe_load((clone / "config/studies/demo-classical.yaml").read_text())
    study["gpu"] = ["train", "simulate"]
    (clone / "config/studies/demo-gpu.yaml").write_text(yaml.safe_dump(study))
    before = last_job()
    done = snakemake(clone, "demo-gpu", *ARGUMENTS, seconds=2300)
    found = jobs(before)
    print(shown(found), f"{done.seconds:.0f} s", sep="\n")
    assert done.status == 0, done.output[-5000:]
    assert len(list(clone.glob("results/kcl/figure/demo-gpu/*.png"))) >= 10

    assert {job.rule for job in found} == ON_NODES
    assert {(job.JobState, job.Account) for job in found} == {("COMPLETED", "(null)")}
    on_gpus = [job for job in found if job.TresPerJob == "gres:gpu:fake:1"]
    assert sorted(job.Comment for job in on_gpus) == sorted(
        [f"rule_train_schnet_wildcards_kcl_{s}-n8-s1-small" for s in ("rnd", "random")]
        + [
            f"rule_simulate_wildcards_kcl_{name}_1200K_{s}-n8-s1-small"
            for name in ("nvt", "npt")
            for s in ("rnd", "random")
        ]
    )
    assert {job.Partition for job in on_gpus} == {"gpu"}
    assert {job.Partition for job in found if job not in on_gpus} == {"cpu"}
    # what every task of these jobs saw of GPUs
    tasks = [line.split(":") for line in (cluster / "tasks").read_text().split()]
    seen = {job: {gpu for j, gpu in tasks if j == job} for job in {job.JobId for job in found}}
    assert seen == {job.JobId: {"0"} if job in on_gpus else {""} for job in found}
    if not torch.cuda.is_available():  # torch cannot use the fake GPU, and these jobs' logs say so
        logs = clone.glob("results/kcl/log/demo-gpu/**/*.log")
        told = [log for log in logs if "no GPU here that torch can use" in log.read_text()]
        assert len(told) == len(on_gpus)


def test_the_profile_of_ones_own_submits_the_jobs(clone, cluster, tmp_path, monkeypatch):
    configure(clone)
    folder = tmp_path / "snakemake/slurm"
    folder.mkdir(parents=True)
    own = {"executor": "slurm", "jobs": 1, "default-resources": {"slurm_partition": "own"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(own))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    before = last_job()
    done = snakemake(clone, "slow", *ARGUMENTS, START, seconds=300)
    assert done.status == 0, done.output[-5000:]
    assert [(job.rule, job.Partition) for job in jobs(before)] == [("start", "own")]


@pytest.fixture
def started(clone, cluster) -> Path:
    """The copy with the starts of the slow simulations."""
    configure(clone)
    starts = [START, START.replace("/nvt/", "/second/")]
    done = snakemake(clone, "slow", *ARGUMENTS, *starts, seconds=600)
    assert done.status == 0, done.output[-5000:]
    return clone


def finished(clone: Path, simulation: str) -> tuple[dict, str]:
    """Verdict and log of a slow simulation that has ended."""
    verdict = clone / SLOW_RUN.format(simulation) / "verdict.json"
    log = clone / f"results/kcl/log/slow/simulate/{simulation}/bmhtf.log"
    return json.loads(verdict.read_text()), log.read_text()


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_job_beyond_its_time_limit_goes_on_in_another_with_more_memory(started):
    configure(started, partitions={"cpu": {"max_runtime": 1, "max_mem_mb": 9000}})
    target, before = f"{SLOW_RUN.format('nvt')}/verdict.json", last_job()
    done = snakemake(started, "slow", *ARGUMENTS, "--retries", "15", target, seconds=1700)
    found = jobs(before)
    print(shown(found), f"{done.seconds:.0f} s", sep="\n")
    assert done.status == 0, done.output[-5000:]
    *first, last = [job.JobState for job in found]
    assert first
    assert set(first) == {"TIMEOUT"}
    assert last == "COMPLETED"
    assert {job.TimeLimit for job in found} == {"00:01:00"}
    memory = [job.MinMemoryNode for job in found]
    assert memory[:3] == ["4004M", "8007M", "9000M"][: len(found)]
    verdict, log = finished(started, "nvt")
    assert verdict["reached_ps"] == pytest.approx(SLOW["simulations"]["nvt"]["duration_ps"])
    assert "continuing at" in log


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_study_survives_a_node_that_goes_down(started):
    target, before = f"{SLOW_RUN.format('second')}/verdict.json", last_job()
    first = start(started, "snakemake", *ARGUMENTS, target, "--config", "study=slow")
    try:
        work = started / SLOW_RUN.format("second") / "work/production"
        wait_for(lambda: list(work.glob("restart.*")), 300)
        ask("scontrol", "update", f"nodename={NODE}", "state=down", "reason=test")
        time.sleep(5)
        ask("scontrol", "update", f"nodename={NODE}", "state=resume")
        output = first.communicate(timeout=1500)[0]
    finally:
        kill(first)
    assert first.returncode == 0, output[-5000:]
    print(shown(jobs(before)))
    # SLURM itself starts the job again
    assert [(job.JobState, job.Restarts) for job in jobs(before)] == [("COMPLETED", "1")]
    verdict, log = finished(started, "second")
    assert verdict["reached_ps"] == pytest.approx(SLOW["simulations"]["second"]["duration_ps"])
    assert "continuing at" in log
