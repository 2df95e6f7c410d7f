# Dataset: labelled frames as extended XYZ that any training code reads.


# label tables -> one table, or a clear stop when too many frames failed
rule labels_table:
    input:
        tables=lambda w: label_batches(w.system),
    output:
        table=report(
            f"{TABLE}/labels.csv",
            caption="../report/labels.rst",
            category="{system}",
            subcategory="Labels",
            labels={"table": "labels"},
        ),
    params:
        failed_share=study["labels"]["failed_share"],
    log:
        f"{LOG}/labels_table.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Collect the labels of {wildcards.system}"
    script:
        "../../scripts/labels_table.py"


# split and labels -> validation and test set, common to all models
rule held_out:
    input:
        pool=f"{POOL}/pool.h5",
        split=f"{SELECTION}/split.csv",
        labels=f"{TABLE}/labels.csv",
    output:
        validation=f"{DATASET}/validation.extxyz",
        test=f"{DATASET}/test.extxyz",
    params:
        store=LABEL_STORE,
    log:
        f"{LOG}/held_out.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Write validation and test set of {wildcards.system}"
    script:
        "../../scripts/held_out.py"


# selection and labels -> training set of one selector, size and seed
rule training_set:
    input:
        selection=f"{SELECTION}/{{selector}}-s{{seed}}.csv",
        labels=f"{TABLE}/labels.csv",
    output:
        train=f"{DATASET}/{{selector}}-n{{size}}-s{{seed}}/train.extxyz",
    params:
        store=LABEL_STORE,
        size=lambda w: int(w.size),
    log:
        f"{LOG}/training_set/{{selector}}-n{{size}}-s{{seed}}.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Write training set {wildcards.selector}, {wildcards.size} frames, seed {wildcards.seed}"
    script:
        "../../scripts/training_set.py"
