# Simulation: molecular dynamics in LAMMPS with a model or a reference potential as force engine.


# system, or pool -> starting configuration, common to all engines of a simulation
rule start:
    input:
        pool=lambda w: placed(study.pool_of_start(w.simulation), w),
    output:
        start=f"{SIMULATION}/{{simulation}}/start.extxyz",
    params:
        system=lambda w: study.start_system(w.system, w.simulation),
        settings=lambda w: study.start(w.system, w.simulation),
    log:
        f"{LOG}/start/{{simulation}}.log",
    benchmark:
        f"{BENCHMARK}/start/{{simulation}}.tsv"
    conda:
        MINSET
    resources:
        **resources_of("start"),
    message:
        "Make the start of {wildcards.simulation} of {wildcards.system}"
    script:
        "../../scripts/start.py"


# start and engine -> trajectory, thermodynamics and a verdict on stability
rule simulate:
    input:
        start=f"{SIMULATION}/{{simulation}}/start.extxyz",
        model=lambda w: placed(model_files(study.models_of(w.engine)), w),
        contacts=lambda w: placed([f"{POOL}/contacts.csv"] if is_model(w.engine) else [], w),
    output:
        trajectory=f"{SIMULATION}/{{simulation}}/{{engine}}/trajectory.lammpstrj",
        thermo=f"{SIMULATION}/{{simulation}}/{{engine}}/thermo.csv",
        verdict=f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
    params:
        system=lambda w: study.engine_system(w.system, w.engine),
        settings=lambda w: study.simulation(w.simulation),
    log:
        f"{LOG}/simulate/{{simulation}}/{{engine}}.log",
    benchmark:
        f"{BENCHMARK}/simulate/{{simulation}}/{{engine}}.tsv"
    conda:
        MINSET
    resources:
        **resources_of("simulate"),
    message:
        "Run {wildcards.simulation} of {wildcards.system} with {wildcards.engine}"
    script:
        "../../scripts/simulate.py"
