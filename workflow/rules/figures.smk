# Figures: each as PDF and PNG, the PNG in the report.


# tables of a study -> one figure; what it reads is listed in figure_inputs of common.smk
rule figure:
    input:
        unpack(figure_inputs),
    output:
        pdf=f"{FIGURE}/{{name}}.pdf",
        png=report(
            f"{FIGURE}/{{name}}.png",
            caption="../report/figure.rst",
            category="{system}",
            subcategory="Figures",
            labels={"figure": "{name}"},
        ),
    params:
        name=lambda w: w.name,
        system=lambda w: systems[w.system],
        rows=figure_rows,
    wildcard_constraints:
        name="|".join(study_figures()),
    log:
        f"{LOG}/figure/{{name}}.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    message:
        "Figure {wildcards.name} of {wildcards.system}"
    script:
        "../../scripts/figure.py"
