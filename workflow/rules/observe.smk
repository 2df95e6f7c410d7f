# Observe: what is computed of trajectories and of models. A rule for each observable, from its record.

OF_RUN = {
    "trajectory": f"{SIMULATION}/{{simulation}}/{{engine}}/trajectory.lammpstrj",
    "thermo": f"{SIMULATION}/{{simulation}}/{{engine}}/thermo.csv",
    "verdict": f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
}
OF_MODEL = {
    "test": f"{DATASET}/test.extxyz",
    "model": lambda w: placed(model_files([w.run]), w),
}

for observable, record in OBSERVABLES.items():
    if record.environment != "minset":
        continue
    sources, source = (
        (OF_MODEL, "{run}") if record.of == "model" else (OF_RUN, "{simulation}/{engine}")
    )
    folder = study.observable_folder(observable, source)

    # trajectory, or model and test set -> tables of an observable
    rule:
        name:
            f"observe_{observable}"
        input:
            **sources,
        output:
            **{table: f"{folder}/{table}.csv" for table in record.tables},
        params:
            observable=observable,
            system=lambda w: study.md_system(w.system),
            settings=partial(settings_of, observable),
        log:
            f"{LOG}/{observable}/{source}.log",
        benchmark:
            f"{BENCHMARK}/{observable}/{source}.tsv"
        conda:
            MINSET
        resources:
            **resources_of(observable),
        message:
            "Observe " + observable + " of {wildcards}"
        script:
            "../../scripts/observe.py"


# the same trajectory -> the same observables from MDSuite, in its own environment
rule mdsuite:
    input:
        trajectory=f"{SIMULATION}/{{simulation}}/{{engine}}/trajectory.lammpstrj",
        verdict=f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
    output:
        rdf=f"{OBSERVABLE}/{{simulation}}/{{engine}}/mdsuite_rdf.csv",
        diffusion=f"{OBSERVABLE}/{{simulation}}/{{engine}}/mdsuite_diffusion.csv",
        conductivity=f"{OBSERVABLE}/{{simulation}}/{{engine}}/mdsuite_conductivity.csv",
    params:
        python="python" if uses_conda(workflow) else config["mdsuite_python"],
        script=Path(workflow.basedir) / "scripts/mdsuite_observables.py",
        settings=partial(settings_of, "mdsuite"),
        timestep_ps=lambda w: settings_of("mdsuite", w)["timestep_fs"] / 1000,
    log:
        f"{LOG}/mdsuite/{{simulation}}/{{engine}}.log",
    benchmark:
        f"{BENCHMARK}/mdsuite/{{simulation}}/{{engine}}.tsv"
    conda:
        "../../envs/mdsuite.yaml"
    resources:
        **resources_of("mdsuite"),
    message:
        "MDSuite's observables of {wildcards.simulation} with {wildcards.engine}"
    shell:
        "{params.python:q} {params.script:q} --trajectory {input.trajectory:q}"
        " --verdict {input.verdict:q} --out_rdf {output.rdf:q} --out_diffusion {output.diffusion:q}"
        " --out_conductivity {output.conductivity:q}"
        " --time_step_ps {params.timestep_ps} --temperature_K {params.settings[temperature_K]}"
        " --rdf_range_A {params.settings[range_A]} --rdf_bins {params.settings[bins]}"
        " --start_ps {params.settings[start_ps]} > {log:q} 2>&1"
