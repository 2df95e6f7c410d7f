# Model: train a potential on a dataset, and compress it for simulations.


# dataset -> trained SchNet (state dict and JSON) and its loss curve
rule train:
    input:
        train=f"{DATASET}/{{selector}}-n{{size}}-s{{seed}}/train.extxyz",
        validation=f"{DATASET}/validation.extxyz",
    output:
        weights=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/model.pt",
        description=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/model.json",
        history=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/history.csv",
    params:
        settings=lambda w: model_settings(w.model),
        training=lambda w: study["models"][w.model]["training"],
        seed=lambda w: int(w.seed),
    wildcard_constraints:
        model=names_of_kind("schnet"),
    log:
        f"{LOG}/train/{{selector}}-n{{size}}-s{{seed}}-{{model}}.log",
    benchmark:
        f"{BENCHMARK}/train/{{selector}}-n{{size}}-s{{seed}}-{{model}}.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        gpu=gpus("train"),
        gpu_model=gpu_model(gpus("train")),
        mem_mb=lambda w, attempt: memory_mb(
            int(w.size) * study["pool"]["ions"] / 50, attempt, gpus("train")
        ),
        runtime=lambda w, attempt: runtime_min(train_seconds(w), attempt, gpus("train")),
    message:
        "Train {wildcards.model} on {wildcards.size} frames by {wildcards.selector}, seed {wildcards.seed}"
    script:
        "../../scripts/train.py"


# dataset -> GAP (QUIP's XML and JSON)
rule train_gap:
    input:
        train=f"{DATASET}/{{selector}}-n{{size}}-s{{seed}}/train.extxyz",
        validation=f"{DATASET}/validation.extxyz",
    output:
        potential=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/gap.xml",
        description=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/model.json",
    params:
        settings=lambda w: model_settings(w.model),
        training=lambda w: study["models"][w.model]["training"],
        seed=lambda w: int(w.seed),
    wildcard_constraints:
        model=names_of_kind("gap"),
    log:
        f"{LOG}/train_gap/{{selector}}-n{{size}}-s{{seed}}-{{model}}.log",
    benchmark:
        f"{BENCHMARK}/train_gap/{{selector}}-n{{size}}-s{{seed}}-{{model}}.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(60 * int(w.size), attempt),
        runtime=lambda w, attempt: runtime_min(int(w.size) * study["pool"]["ions"] / 10, attempt),
    message:
        "Fit {wildcards.model} to {wildcards.size} frames by {wildcards.selector}, seed {wildcards.seed}"
    script:
        "../../scripts/train.py"


# trained SchNet -> the same with tabulated filters, and its differences to the network
rule compress:
    input:
        train=f"{DATASET}/{{selector}}-n{{size}}-s{{seed}}/train.extxyz",
        weights=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/model.pt",
        description=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/model.json",
    output:
        compressed=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/compressed.npz",
        check=f"{MODEL}/{{selector}}-n{{size}}-s{{seed}}-{{model}}/compression.csv",
    wildcard_constraints:
        model=names_of_kind("schnet"),
    log:
        f"{LOG}/compress/{{selector}}-n{{size}}-s{{seed}}-{{model}}.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(0, attempt),
        runtime=lambda w, attempt: runtime_min(0, attempt),
    message:
        "Compress {wildcards.model} of {wildcards.size} frames by {wildcards.selector}, seed {wildcards.seed}"
    script:
        "../../scripts/compress.py"
