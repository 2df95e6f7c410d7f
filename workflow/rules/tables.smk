# Tables and figures of a study, each from the inputs that its record names.


# tables of runs, or other tables -> one table of the study
rule table:
    input:
        unpack(lambda w: made_from(inputs_of(TABLES[w.table]), w)),
    output:
        table=report(
            f"{TABLE}/{{table}}.csv",
            caption="../report/table.rst",
            category="{system}",
            subcategory=lambda w: TABLES[w.table].category,
            labels={"table": "{table}"},
        ),
    params:
        name=lambda w: w.table,
        rows=lambda w: [row for _, row in inputs_of(TABLES[w.table]).runs],
        options=lambda w: table_options(study, w.system, w.table),
    wildcard_constraints:
        table=alternatives(tables_of(study)),
    log:
        f"{LOG}/table/{{table}}.log",
    conda:
        MINSET
    message:
        "Table {wildcards.table} of {wildcards.system}"
    script:
        "../../scripts/table.py"


# tables of a study, or files of its runs -> one figure as PDF and PNG, the PNG in the report
rule figure:
    input:
        unpack(lambda w: made_from(inputs_of(FIGURES[w.figure]), w)),
    output:
        pdf=f"{FIGURE}/{{figure}}.pdf",
        png=report(
            f"{FIGURE}/{{figure}}.png",
            caption="../report/figure.rst",
            category="{system}",
            subcategory="Figures",
            labels={"figure": "{figure}"},
        ),
    params:
        name=lambda w: w.figure,
        system=lambda w: system_shown(study, w.system, w.figure),
        rows=lambda w: [row for _, row in inputs_of(FIGURES[w.figure]).runs],
    wildcard_constraints:
        figure=alternatives(figures_of(study)),
    log:
        f"{LOG}/figure/{{figure}}.log",
    conda:
        MINSET
    message:
        "Figure {wildcards.figure} of {wildcards.system}"
    script:
        "../../scripts/figure.py"


# the summary and figures of each system -> what the report opens with
rule front_page:
    input:
        summaries=every(TABLE, ["summary"], "csv"),
        figures=every(FIGURE, figures_of(study), "png"),
    output:
        page=FRONT_PAGE,
    params:
        study=study.name,
        description=study.settings["description"],
        systems=list(study.systems),
    log:
        f"results/log/{study.name}/front_page.log",
    conda:
        MINSET
    message:
        "First page of the report"
    script:
        "../../scripts/front_page.py"
