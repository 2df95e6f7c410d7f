# Selection: which frames of the pool are worth labelling.


# pool -> one descriptor per frame, or per atom too, from an untrained SchNet representation
rule descriptors:
    input:
        pool=f"{POOL}/pool.h5",
    output:
        **descriptor_files(),
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
        mem_mb=lambda w, attempt: memory_mb(ions_in_pool() / 1000, attempt),
        runtime=lambda w, attempt: runtime_min(ions_in_pool() * 2e-5, attempt),
    message:
        "Describe the frames of {wildcards.system}"
    script:
        "../../scripts/descriptors.py"


# pool -> role of each frame: test and validation set apart, the rest candidates
rule split:
    input:
        **descriptor_files(),
        pool=f"{POOL}/pool.h5",
        summary=f"{POOL}/pool.csv",
        runs=f"{POOL}/runs.csv",
    output:
        split=f"{SELECTION}/split.csv",
    params:
        test=study["test"],
        validation=study["validation"],
        held_out=held_out_runs(study),
    log:
        f"{LOG}/split.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    message:
        "Set test and validation frames of {wildcards.system} apart"
    script:
        "../../scripts/split.py"


# candidates -> ordered picks of one selector, as many as the largest size
rule select:
    input:
        **descriptor_files(),
        pool=f"{POOL}/pool.h5",
        split=f"{SELECTION}/split.csv",
    output:
        selection=f"{SELECTION}/{{selector}}-s{{seed}}.csv",
    params:
        selector=lambda w: w.selector,
        seed=lambda w: int(w.seed),
        size=lambda w: largest_sizes()[w.selector, int(w.seed)],
        options=lambda w: study["selectors"][w.selector],
    log:
        f"{LOG}/select/{{selector}}-s{{seed}}.log",
    benchmark:
        f"{BENCHMARK}/select/{{selector}}-s{{seed}}.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(ions_in_pool() / 1000, attempt),
        runtime=lambda w, attempt: runtime_min(
            ions_in_pool() * largest_sizes()[w.selector, int(w.seed)] * 2e-6, attempt
        ),
    message:
        "Select {params.size} frames of {wildcards.system} by {wildcards.selector}, seed {wildcards.seed}"
    script:
        "../../scripts/select_frames.py"
