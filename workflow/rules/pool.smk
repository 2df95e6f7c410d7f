# Pool: cheap classical molecular dynamics fills a file with candidate frames.


# system -> frames of one MD run with classical energies, atomic energies and forces
rule pool_run:
    output:
        frames=f"{POOL}/runs/{{pool_run}}.h5",
        table=f"{POOL}/runs/{{pool_run}}.csv",
    params:
        system=lambda w: systems[w.system],
        settings=lambda w: POOL_RUNS[w.pool_run],
    log:
        f"{LOG}/pool/{{pool_run}}.log",
    benchmark:
        f"{BENCHMARK}/pool/{{pool_run}}.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(ions_in_pool() / len(POOL_RUNS) / 1000, attempt),
        runtime=lambda w, attempt: runtime_min(md_seconds(POOL_RUNS[w.pool_run]), attempt),
    message:
        "Sample the run {wildcards.pool_run} of the pool of {wildcards.system}"
    script:
        "../../scripts/pool_run.py"


# runs -> pool. The runs stay: a pool that gets more of them computes the new ones only.
rule pool:
    input:
        frames=expand(f"{POOL}/runs/{{pool_run}}.h5", pool_run=POOL_RUNS, allow_missing=True),
        tables=expand(f"{POOL}/runs/{{pool_run}}.csv", pool_run=POOL_RUNS, allow_missing=True),
    output:
        pool=f"{POOL}/pool.h5",
        summary=f"{POOL}/pool.csv",
        runs=f"{POOL}/runs.csv",
    params:
        failed_share=study["pool"]["failed_share"],
    log:
        f"{LOG}/pool.log",
    benchmark:
        f"{BENCHMARK}/pool.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(ions_in_pool() / 1000, attempt),
        runtime=lambda w, attempt: runtime_min(ions_in_pool() * 1e-5, attempt),
    message:
        "Join the runs of the pool of {wildcards.system}"
    script:
        "../../scripts/pool.py"
