# Pool: cheap classical molecular dynamics fills a file with candidate frames.


# system -> pool of frames with classical energies, atomic energies and forces
rule pool:
    output:
        pool=f"{POOL}/pool.h5",
        summary=f"{POOL}/pool.csv",
    params:
        system=lambda w: systems[w.system],
        settings=study["pool"],
    log:
        f"{LOG}/pool.log",
    benchmark:
        f"{BENCHMARK}/pool.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    message:
        "Fill the pool of {wildcards.system} with {params.settings[frames]} frames"
    script:
        "../../scripts/pool.py"
