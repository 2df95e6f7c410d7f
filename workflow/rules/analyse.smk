# Analyse: errors of the models, observables of the simulations, and the tables that collect them.


# model and test set -> force and energy predictions beside the labels, and their errors
rule errors:
    input:
        test=f"{DATASET}/test.extxyz",
        model=lambda w: model_files(w.system, w.run),
    output:
        forces=f"{OBSERVABLE}/errors/{{run}}/forces.csv",
        energies=f"{OBSERVABLE}/errors/{{run}}/energies.csv",
        errors=f"{OBSERVABLE}/errors/{{run}}/errors.csv",
    log:
        f"{LOG}/errors/{{run}}.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(ions_in_test() / 1000, attempt),
        runtime=lambda w, attempt: runtime_min(
            ions_in_test() * SECONDS_PER_ION[engine_kind(w.run)], attempt
        ),
    message:
        "Test {wildcards.run} on unseen frames of {wildcards.system}"
    script:
        "../../scripts/errors.py"


# trajectory at constant volume -> partial RDFs (MDAnalysis)
rule structure:
    input:
        trajectory=f"{SIMULATION}/{{simulation}}/{{engine}}/trajectory.lammpstrj",
        verdict=f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
    output:
        rdf=f"{OBSERVABLE}/{{simulation}}/{{engine}}/rdf.csv",
        peaks=f"{OBSERVABLE}/{{simulation}}/{{engine}}/rdf_peaks.csv",
    params:
        settings=study["rdf"],
    log:
        f"{LOG}/structure/{{simulation}}/{{engine}}.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(ions_in_trajectory(w) / 1000, attempt),
        runtime=lambda w, attempt: runtime_min(ions_in_trajectory(w) * 5e-4, attempt),
    message:
        "Structure of {wildcards.simulation} with {wildcards.engine}"
    script:
        "../../scripts/structure.py"


# trajectory at constant volume -> diffusion and conductivity (kinisi)
rule transport:
    input:
        trajectory=f"{SIMULATION}/{{simulation}}/{{engine}}/trajectory.lammpstrj",
        verdict=f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
    output:
        msd=f"{OBSERVABLE}/{{simulation}}/{{engine}}/msd.csv",
        diffusion=f"{OBSERVABLE}/{{simulation}}/{{engine}}/diffusion.csv",
        conductivity=f"{OBSERVABLE}/{{simulation}}/{{engine}}/conductivity.csv",
    params:
        settings=lambda w: study["simulations"][w.simulation],
        start_ps=study["transport"]["start_ps"],
    log:
        f"{LOG}/transport/{{simulation}}/{{engine}}.log",
    benchmark:
        f"{BENCHMARK}/transport/{{simulation}}/{{engine}}.tsv"
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(ions_in_trajectory(w) / 1000, attempt),
        runtime=lambda w, attempt: runtime_min(ions_in_trajectory(w) * 5e-4, attempt),
    message:
        "Transport in {wildcards.simulation} with {wildcards.engine}"
    script:
        "../../scripts/transport.py"


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
        python=mdsuite_python(),
        script=Path(workflow.basedir) / "scripts/mdsuite_observables.py",
        timestep_ps=lambda w: study["simulations"][w.simulation]["timestep_fs"] / 1000,
        temperature=lambda w: study["simulations"][w.simulation]["temperature_K"],
        range=study["rdf"]["range_A"],
        bins=study["rdf"]["bins"],
        start=study["transport"]["start_ps"],
    log:
        f"{LOG}/mdsuite/{{simulation}}/{{engine}}.log",
    benchmark:
        f"{BENCHMARK}/mdsuite/{{simulation}}/{{engine}}.tsv"
    conda:
        "../../envs/mdsuite.yaml"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: memory_mb(ions_in_trajectory(w) / 1000, attempt),
        runtime=lambda w, attempt: runtime_min(ions_in_trajectory(w) * 5e-4, attempt),
    message:
        "MDSuite's observables of {wildcards.simulation} with {wildcards.engine}"
    shell:
        "{params.python:q} {params.script:q} --trajectory {input.trajectory:q}"
        " --verdict {input.verdict:q} --out_rdf {output.rdf:q} --out_diffusion {output.diffusion:q}"
        " --out_conductivity {output.conductivity:q} --time_step_ps {params.timestep_ps}"
        " --temperature_K {params.temperature} --rdf_range_A {params.range}"
        " --rdf_bins {params.bins} --start_ps {params.start} > {log:q} 2>&1"


# thermodynamics at constant pressure -> mean density, temperature and pressure with their errors
rule density:
    input:
        thermo=f"{SIMULATION}/{{simulation}}/{{engine}}/thermo.csv",
        verdict=f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
    output:
        density=f"{OBSERVABLE}/{{simulation}}/{{engine}}/density.csv",
    log:
        f"{LOG}/density/{{simulation}}/{{engine}}.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Density of {wildcards.simulation} with {wildcards.engine}"
    script:
        "../../scripts/density.py"


# selections -> one table of all picks
rule selection_table:
    input:
        tables=lambda w: selections(w.system),
    output:
        table=report(
            f"{TABLE}/selection.csv",
            caption="../report/selection.rst",
            category="{system}",
            subcategory="Selection",
            labels={"table": "picks"},
        ),
    params:
        rows=[{"selector": s, "seed": k} for s, k in largest_sizes()],
    log:
        f"{LOG}/table/selection.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Table of the picks of {wildcards.system}"
    script:
        "../../scripts/collect.py"


# errors of each model -> one table
rule errors_table:
    input:
        tables=lambda w: expand(
            f"{OBSERVABLE}/errors/{{run}}/errors.csv", system=w.system, run=model_runs()
        ),
    output:
        table=report(
            f"{TABLE}/errors.csv",
            caption="../report/errors.rst",
            category="{system}",
            subcategory="Model",
            labels={"table": "errors on unseen frames"},
        ),
    params:
        rows=[run_row(run) for run in model_runs()],
    log:
        f"{LOG}/table/errors.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Table of the errors of {wildcards.system}"
    script:
        "../../scripts/collect.py"


# errors and verdicts of all models -> a table that compares selectors and sizes over seeds
rule comparison_table:
    input:
        unpack(comparison_inputs),
    output:
        table=report(
            f"{TABLE}/{{comparison}}.csv",
            caption="../report/comparison.rst",
            category="{system}",
            subcategory="Selectors",
            labels={"table": "{comparison}"},
        ),
    params:
        name=lambda w: w.comparison,
        baseline=random_selector(),
    wildcard_constraints:
        comparison="learning_curve|stable_fraction|against_random|frames_needed",
    log:
        f"{LOG}/table/{{comparison}}.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Table {wildcards.comparison} of {wildcards.system}"
    script:
        "../../scripts/comparison_table.py"


# RDFs of all runs -> how far those of the models are from the reference potentials'
rule rdf_difference_table:
    input:
        tables=lambda w: expand(
            f"{OBSERVABLE}/{{run}}/rdf.csv", system=w.system, run=observed("rdf")
        ),
    output:
        table=report(
            f"{TABLE}/rdf_difference.csv",
            caption="../report/rdf_difference.rst",
            category="{system}",
            subcategory="Simulation",
            labels={"table": "rdf_difference"},
        ),
    params:
        rows=[simulation_row(run) for run in observed("rdf")],
    log:
        f"{LOG}/table/rdf_difference.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Differences between RDFs of {wildcards.system}"
    script:
        "../../scripts/rdf_difference_table.py"


# verdicts of all simulations -> one table
rule stability_table:
    input:
        verdicts=lambda w: expand(
            f"{SIMULATION}/{{run}}/verdict.json", system=w.system, run=simulation_runs()
        ),
    output:
        table=report(
            f"{TABLE}/stability.csv",
            caption="../report/stability.rst",
            category="{system}",
            subcategory="Simulation",
            labels={"table": "stability"},
        ),
    params:
        rows=[simulation_row(run) for run in simulation_runs()],
    log:
        f"{LOG}/table/stability.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Table of the stability of {wildcards.system}"
    script:
        "../../scripts/stability_table.py"


# observables of all simulations -> a table of one quantity, with the experiment where it is known
rule observable_table:
    input:
        tables=lambda w: expand(
            f"{OBSERVABLE}/{{file}}.csv",
            system=w.system,
            file=[file for file, _ in observable_files(w.quantity)],
        ),
    output:
        table=report(
            f"{TABLE}/{{quantity}}.csv",
            caption="../report/observables.rst",
            category="{system}",
            subcategory="Simulation",
            labels={"table": "{quantity}"},
        ),
    params:
        rows=lambda w: [row for _, row in observable_files(w.quantity)],
        system=lambda w: systems[w.system],
        quantity=lambda w: w.quantity,
    wildcard_constraints:
        quantity="rdf_peaks|diffusion|conductivity|density",
    log:
        f"{LOG}/table/{{quantity}}.log",
    conda:
        "../../envs/minset.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Table of {wildcards.quantity} of {wildcards.system}"
    script:
        "../../scripts/observable_table.py"
