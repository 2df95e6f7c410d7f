# minset: from a salt's file to a validated potential.
#
#   snakemake --cores all --config study=demo      everything of a study
#   snakemake --cores all figures --config study=demo
#
# config/config.yaml names the default study; config/studies/ and config/systems/ hold the rest.
from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/pool.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/label.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/figures.smk"


# with a profile for a cluster these run where Snakemake does: seconds each
localrules:
    split,
    labels_table,
    held_out,
    training_set,
    density,
    selection_table,
    errors_table,
    comparison_table,
    rdf_difference_table,
    stability_table,
    observable_table,
    figure,


onstart:
    # Snakemake 9.27: each pass of the rate limiter plans another one in a second, with a thread of its own, and
    # that one the next, for ever. After some hundred jobs the scheduler did nothing else: 2 s of processor for each job.
    workflow.scheduler.job_rate_limiter = None


rule all:
    default_target: True
    input:
        all_figures(),
        all_tables(),
        left_missing,


rule figures:
    input:
        all_figures(),
        left_missing,


rule tables:
    input:
        all_tables(),
        left_missing,


rule labels:
    input:
        all_label_batches(),
