# Model: train a potential on a dataset. A rule for each kind of model, from its record.

for kind, record in MODELS.items():

    # dataset -> trained model: a folder of the files that its record names
    rule:
        name:
            f"train_{kind}"
        input:
            train=lambda w: placed(f"{DATASET}/{dataset_of(w.run)}/train.extxyz", w),
            validation=f"{DATASET}/validation.extxyz",
        output:
            **{file.replace(".", "_"): f"{MODEL}/{{run}}/{file}" for file in record.files},
        params:
            settings=lambda w: study.training(w.system, w.run)["settings"],
            training=lambda w: study.training(w.system, w.run)["training"],
            seed=lambda w: study.training(w.system, w.run)["seed"],
        wildcard_constraints:
            run=alternatives(study.runs_of_kind(kind)),
        log:
            f"{LOG}/train/{{run}}.log",
        benchmark:
            f"{BENCHMARK}/train/{{run}}.tsv"
        conda:
            f"../../envs/{record.environment}.yaml"
        resources:
            **resources_of("train"),
        message:
            "Train {wildcards.run} for {wildcards.system}"
        script:
            "../../scripts/train.py"
