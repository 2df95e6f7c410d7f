# minset: from a system's file to a validated potential.
#
#   snakemake --cores all --config study=demo      everything of a study
#   snakemake --cores all figures --config study=demo
#
# config/config.yaml names the default study; config/studies/ and config/systems/ hold the rest.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


# of the folder in which Snakemake runs (--directory), else that of this repository
settings_file = Path("config/config.yaml")
if not settings_file.exists():
    settings_file = Path(workflow.current_basedir) / settings_file


configfile: settings_file


include: "workflow/rules/common.smk"
include: "workflow/rules/pool.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/label.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/certificate.smk"
include: "workflow/rules/observe.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/export.smk"


remember_signatures(workflow)


# what a report opens with, once a study has it
report: Path(FRONT_PAGE).resolve() if Path(FRONT_PAGE).exists() else "workflow/report/workflow.rst"


# with a profile for a cluster these run where Snakemake does: seconds each
localrules:
    split,
    held_out,
    training_set,
    observe_density,
    table,
    figure,
    front_page,


onstart:
    # not for every job, which reads this file too
    from minset.progress import show_time_left

    try:
        require_slurm(workflow)
    except ConfigError as error:
        sys.exit(str(error))
    without_rate_limit(workflow)
    show_time_left(workflow)


rule all:
    default_target: True
    input:
        every(FIGURE, figures_of(study), "pdf", "png"),
        every(TABLE, tables_of(study), "csv"),
        FRONT_PAGE,
        left_missing,


rule figures:
    input:
        every(FIGURE, figures_of(study), "pdf", "png"),
        left_missing,


rule tables:
    input:
        every(TABLE, tables_of(study), "csv"),
        left_missing,


rule labels:
    input:
        expand(label_tables(study.labelled_sets), system=study.systems),
