# Simulation: molecular dynamics in LAMMPS with a model or the classical potential as force engine.


# system -> liquid starting configuration, common to all engines of a simulation
rule start:
    output:
        start=f"{SIMULATION}/{{simulation}}/start.extxyz",
    params:
        system=lambda w: systems[w.system],
        settings=simulation_settings,
    log:
        f"{LOG}/start/{{simulation}}.log",
    benchmark:
        f"{BENCHMARK}/start/{{simulation}}.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(0, attempt),
        runtime=lambda w, attempt: runtime_min(
            md_seconds(study["simulations"][w.simulation], ["melt_ps"]), attempt
        ),
    message:
        "Melt {wildcards.system} for {wildcards.simulation}"
    script:
        "../../scripts/start.py"


# start and engine -> trajectory, thermodynamics and a verdict on stability
rule simulate:
    input:
        start=f"{SIMULATION}/{{simulation}}/start.extxyz",
        model=model_of,
    output:
        trajectory=f"{SIMULATION}/{{simulation}}/{{engine}}/trajectory.lammpstrj",
        thermo=f"{SIMULATION}/{{simulation}}/{{engine}}/thermo.csv",
        verdict=f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
    params:
        system=lambda w: systems[w.system],
        settings=simulation_settings,
        engine=lambda w: w.engine,
    log:
        f"{LOG}/simulate/{{simulation}}/{{engine}}.log",
    benchmark:
        f"{BENCHMARK}/simulate/{{simulation}}/{{engine}}.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        gpu=lambda w: gpus("simulate", w.engine),
        gpu_model=lambda w: gpu_model(gpus("simulate", w.engine)),
        mem_mb=lambda w, attempt: memory_mb(
            study["simulations"][w.simulation]["ions"] / 10,
            attempt,
            gpus("simulate", w.engine),
        ),
        runtime=lambda w, attempt: runtime_min(
            simulation_seconds(w), attempt, gpus("simulate", w.engine)
        ),
    message:
        "Run {wildcards.simulation} of {wildcards.system} with {wildcards.engine}"
    script:
        "../../scripts/simulate.py"
