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
include: "workflow/rules/pool.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/label.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        all_figures(),
        all_tables(),


rule figures:
    input:
        all_figures(),


rule tables:
    input:
        all_tables(),


rule labels:
    input:
        all_label_batches(),
