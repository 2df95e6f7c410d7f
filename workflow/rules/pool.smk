# Pool: cheap molecular dynamics, or the user's files, fill a file with candidate frames.


# system, or files -> frames of one run, with what is known of their energies and forces
rule pool_run:
    input:
        files=lambda w: study.pool_run_files(w.pool_run),
    output:
        frames=f"{POOL}/runs/{{pool_run}}.h5",
        table=f"{POOL}/runs/{{pool_run}}.csv",
    params:
        generator=study.settings["pool"].get("generator"),
        system=lambda w: study.pool_system(w.system, w.pool_run),
        settings=lambda w: study.pool_run(w.system, w.pool_run),
    log:
        f"{LOG}/pool/{{pool_run}}.log",
    benchmark:
        f"{BENCHMARK}/pool/{{pool_run}}.tsv"
    conda:
        MINSET
    resources:
        **resources_of("pool_run"),
    message:
        "Sample the run {wildcards.pool_run} of the pool of {wildcards.system}"
    script:
        "../../scripts/pool_run.py"


# runs -> pool, and the shortest distances in it. The runs stay: a pool that gets more of them computes the new ones only.
rule pool:
    input:
        frames=expand(f"{POOL}/runs/{{pool_run}}.h5", pool_run=study.pool_runs, allow_missing=True),
        tables=expand(f"{POOL}/runs/{{pool_run}}.csv", pool_run=study.pool_runs, allow_missing=True),
    output:
        pool=f"{POOL}/pool.h5",
        summary=f"{POOL}/pool.csv",
        runs=f"{POOL}/runs.csv",
        contacts=f"{POOL}/contacts.csv",
    params:
        failed_share=study.settings["pool"]["failed_share"],
    log:
        f"{LOG}/pool.log",
    benchmark:
        f"{BENCHMARK}/pool.tsv"
    conda:
        MINSET
    resources:
        **resources_of("pool"),
    message:
        "Join the runs of the pool of {wildcards.system}"
    script:
        "../../scripts/pool.py"
