# Export: a trained model and its data as a folder for whoever has no part in the workflow.


# model, datasets and labels, and what simulations and certificates there are -> a folder
rule export:
    input:
        model=lambda w: placed(model_files([w.run]), w),
        train=lambda w: placed(f"{DATASET}/{dataset_of(w.run)}/train.extxyz", w),
        validation=f"{DATASET}/validation.extxyz",
        test=f"{DATASET}/test.extxyz",
        errors=f"{study.observable_folder('errors', '{run}')}/errors.csv",
        verdicts=lambda w: verdicts_there(study, w.system, w.run),
        certificates=lambda w: certificates_there(study, w.system, w.run),
    output:
        folder=directory(f"{EXPORT}/{{run}}"),
    params:
        store=LABEL_STORE,
        about=lambda w: about_of(study, w.system, w.run),
    log:
        f"{LOG}/export/{{run}}.log",
    conda:
        MINSET
    message:
        "Export {wildcards.run} of {wildcards.system}"
    script:
        "../../scripts/export.py"


rule exported:
    input:
        asked_runs,
