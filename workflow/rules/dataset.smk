# Dataset: labelled frames as extended XYZ that any training code reads.


# labels of the held-out frames -> validation and test set, common to all models
rule held_out:
    input:
        labels=lambda w: placed(label_tables([HELD_OUT]), w),
    output:
        validation=f"{DATASET}/validation.extxyz",
        test=f"{DATASET}/test.extxyz",
    params:
        store=LABEL_STORE,
        failed_share=study.settings["labels"]["failed_share"],
    log:
        f"{LOG}/held_out.log",
    conda:
        MINSET
    message:
        "Write validation and test set of {wildcards.system}"
    script:
        "../../scripts/held_out.py"


# labels of the frames of a size and of all smaller ones -> training set
rule training_set:
    input:
        labels=lambda w: placed(label_tables([*study.smaller(w.set), w.set]), w),
    output:
        train=f"{DATASET}/{{set}}/train.extxyz",
    params:
        store=LABEL_STORE,
        failed_share=study.settings["labels"]["failed_share"],
    log:
        f"{LOG}/training_set/{{set}}.log",
    conda:
        MINSET
    message:
        "Write the training set {wildcards.set} of {wildcards.system}"
    script:
        "../../scripts/training_set.py"
