# Selection: which frames of the pool are worth labelling.


# pool -> one descriptor per frame from an untrained SchNet representation
rule descriptors:
    input:
        pool=f"{POOL}/pool.h5",
    output:
        descriptors=f"{SELECTION}/descriptors.npy",
    params:
        settings=study["descriptors"],
    log:
        f"{LOG}/descriptors.log",
    benchmark:
        f"{BENCHMARK}/descriptors.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    message:
        "Describe the frames of {wildcards.system}"
    script:
        "../../scripts/descriptors.py"


# pool -> role of each frame: test and validation drawn at random, the rest candidates
rule split:
    input:
        summary=f"{POOL}/pool.csv",
    output:
        split=f"{SELECTION}/split.csv",
    params:
        test=study["test"],
        validation=study["validation"],
    log:
        f"{LOG}/split.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Set test and validation frames of {wildcards.system} apart"
    script:
        "../../scripts/split.py"


# candidates -> ordered picks of one selector, as many as the largest size
rule select:
    input:
        pool=f"{POOL}/pool.h5",
        descriptors=f"{SELECTION}/descriptors.npy",
        split=f"{SELECTION}/split.csv",
    output:
        selection=f"{SELECTION}/{{selector}}-s{{seed}}.csv",
    params:
        selector=lambda w: w.selector,
        seed=lambda w: int(w.seed),
        size=max(study["sizes"]),
        options=lambda w: study["selectors"][w.selector],
    log:
        f"{LOG}/select/{{selector}}-s{{seed}}.log",
    benchmark:
        f"{BENCHMARK}/select/{{selector}}-s{{seed}}.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    message:
        "Select {params.size} frames of {wildcards.system} by {wildcards.selector}, seed {wildcards.seed}"
    script:
        "../../scripts/select_frames.py"
