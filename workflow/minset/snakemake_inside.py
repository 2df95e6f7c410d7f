"""All that minset takes from inside Snakemake (9.27), beyond its command line, API and language.

1. `study_dag`: the DAG of a dry run without a lock. The API plans only to execute or to print.
2. `read_marks`: marks of unfinished jobs in ``.snakemake/incomplete``.
3. `slurm_comment`: how the SLURM executor names a job in the queue.
4. `without_rate_limit`: the scheduler's rate limiter, switched off.
5. `uses_conda`: how software is deployed.
6. `require_slurm`: which executor runs the jobs.
7. `require_plain_python`: scripts are started by a shell command without quotes.
8. `remember_signatures`: how functions carry their parameters, which it asks for with every job.
"""

import contextlib
import inspect
import json
import shlex
import shutil
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from pathlib import Path

from snakemake import cli
from snakemake.api import SnakemakeApi, resolve_snakefile
from snakemake.common import overwrite_function_params
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    DeploymentMethod,
    DeploymentSettings,
    ResourceSettings,
)

from minset.config import ConfigError


def study_dag(api: SnakemakeApi, study: str, arguments, cores: int):
    """Snakemake's DAG of a study, by the settings that decide what is to be run again."""
    local = arguments.executor in (None, "local")
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=cores if local else None),
        config_settings=ConfigSettings(
            config=cli.parse_config(arguments.config) | {"study": study},
            configfiles=arguments.configfile,
        ),
        deployment_settings=DeploymentSettings(
            deployment_method=arguments.software_deployment_method
        ),
        snakefile=resolve_snakefile(arguments.snakefile),
        workdir=arguments.directory,
    )
    workflow.dag(
        DAGSettings(
            targets=arguments.targets,
            rerun_triggers=arguments.rerun_triggers,
            force_incomplete=True,
        )
    )
    # the methods that plan without a lock print their result, so the steps that they share
    planned = workflow._workflow
    planned._prepare_dag(forceall=False, ignore_incomplete=False, lock_warn_only=True)
    # building it would remove the inventory that a dry run has left for --trust-io-cache
    planned.persistence.drop_iocache = lambda: None
    planned._build_dag()
    return planned.dag


@dataclass(frozen=True)
class Mark:
    """Snakemake's mark of a job that has begun and not ended: when, or its number in a queue."""

    time: float
    cluster_id: str | None


def read_marks(folder: Path) -> dict[str, Mark]:
    """Marks by output file; the file of a mark has the output's name in base64."""
    marks = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a job ends meanwhile
            if path.is_dir():
                continue
            try:
                content = json.loads(path.read_text())
            except json.JSONDecodeError:  # it is being written
                content = {}
            # long names are cut into folders, whose names begin with @
            name = "".join(part.lstrip("@") for part in path.relative_to(folder).parts)
            mark = Mark(path.stat().st_mtime, content.get("external_jobid"))
            marks[urlsafe_b64decode(name).decode()] = mark
    return marks


def slurm_comment(job) -> str:
    """How the SLURM executor describes a job; the number in its mark goes when it begins."""
    wildcards = "_".join(job.wildcards).replace("/", "_")
    return f"rule_{job.rule.name}" + (f"_wildcards_{wildcards}" if wildcards else "")


def without_rate_limit(workflow) -> None:
    """Switch the limit on the rate of submissions off.

    In 9.27 each pass of the rate limiter plans another one in a second, with a thread of its own,
    and that one the next, for ever. After some hundred jobs the scheduler did nothing else: 2 s of
    processor for each job.
    """
    workflow.scheduler.job_rate_limiter = None


def remember_signatures(workflow) -> None:
    """Let the functions of the rules' inputs and parameters carry their parameters.

    Else Snakemake has `inspect` find them two or three times with every job. What it unpacks (tables
    and figures, few jobs) is left out. A list of names, as its own functions carry, is not enough:
    it asks for the kinds, too.
    """
    for rule in workflow.rules:
        for item in (*rule.input, *rule.params):
            function = getattr(item, "callable", item)
            if callable(function):
                overwrite_function_params(function, inspect.signature(function).parameters)


def uses_conda(workflow) -> bool:
    """Whether the jobs run in conda environments, where ``python`` is that of the rule."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def require_slurm(workflow) -> None:
    """Stop where jobs are to go to SLURM and there is none; Snakemake would say so after minutes.

    Raises
    ------
    ConfigError
        If the executor is SLURM's and there is no ``sbatch``.
    """
    plugin = workflow.executor_plugin
    if plugin is None or workflow.dryrun or plugin.name != "slurm" or shutil.which("sbatch"):
        return
    raise ConfigError(
        "--profile slurm: there is no SLURM here (no sbatch on the PATH); run on a login node of the "
        "cluster, or without --profile on this machine"
    )


def require_plain_python(executable: str) -> None:
    """Stop where Snakemake could start no script: it writes Python's path into a shell command as it is.

    Raises
    ------
    ConfigError
        If the path has a space or another character that a shell takes for its own.
    """
    if shlex.quote(executable) != executable:
        raise ConfigError(
            f"Snakemake cannot start scripts with {executable!r}: a shell reads a character of this path "
            "as its own; make the environment in a folder named with letters, digits, _, . and - alone "
            "(the results may be anywhere)"
        )
