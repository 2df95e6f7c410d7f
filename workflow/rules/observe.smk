# Observe: what is computed of trajectories, of models, of force engines and of frames. A rule for each observable, from its record.

OF_RUN = {
    "trajectory": f"{SIMULATION}/{{simulation}}/{{engine}}/trajectory.lammpstrj",
    "thermo": f"{SIMULATION}/{{simulation}}/{{engine}}/thermo.csv",
    "verdict": f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
}
OF_MODEL = {
    "test": f"{DATASET}/test.extxyz",
    "model": lambda w: placed(model_files([w.run]), w),
}

OF_ENGINE = {
    "model": lambda w: placed(model_files([w.engine] if is_model(w.engine) else []), w),
}

OF_CERTIFICATE = OF_RUN | {
    "test": OF_MODEL["test"],
    "model": lambda w: placed(model_files([w.engine]), w),
    "labels": lambda w: placed(label_tables([certificate_name(w.simulation, w.engine)]), w),
}

# what an observable looks at, and the name of what it is of
SOURCES = {
    "trajectory": (OF_RUN, "{simulation}/{engine}"),
    "model": (OF_MODEL, "{run}"),
    "engine": (OF_ENGINE, "{engine}"),
    "certificate": (OF_CERTIFICATE, "{simulation}/{engine}"),
    "pool": ({"model": OF_MODEL["model"]}, "{run}"),
}

for observable, record in OBSERVABLES.items():
    if record.environment != "minset":
        continue
    sources, source = SOURCES.get(record.of) or (of_frames(observable), "frames")
    folder = study.observable_folder(observable, source)

    # trajectory, model and test set, both and labels, a force engine, or frames -> tables of an observable
    rule:
        name:
            f"observe_{observable}"
        input:
            **sources,
            **({"pool": study.observed_pool(observable)} if record.of == "pool" else {}),
        output:
            **{table: f"{folder}/{table}.csv" for table in record.tables},
        params:
            **({"store": LABEL_STORE} if record.of == "certificate" else {}),
            observable=observable,
            system=partial(system_of, observable),
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
            f"Observe {observable} of {{wildcards}}"
        script:
            "../../scripts/observe.py"


# the same trajectory -> the same observables from MDSuite, in its own environment
rule mdsuite:
    input:
        trajectory=OF_RUN["trajectory"],
        verdict=OF_RUN["verdict"],
    output:
        **{
            table: f"{OBSERVABLE}/{{simulation}}/{{engine}}/{table}.csv"
            for table in OBSERVABLES["mdsuite"].tables
        },
    params:
        # of parameters that are made from inputs or outputs Snakemake notices no change
        settings=partial(settings_of, "mdsuite"),
        words=lambda w, input, output: mdsuite.command(
            "python" if uses_conda(workflow) else config["mdsuite_python"],
            REPOSITORY / "scripts/mdsuite_observables.py",
            dict(input),
            dict(output),
            settings_of("mdsuite", w),
        ),
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
        "{params.words:q} > {log:q} 2>&1"
