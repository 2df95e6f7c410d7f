# Label: energy, forces and stress of the selected frames. Labels live in a store that no rule owns:
# a calculation that has finished is never repeated and never deleted.


# selections -> labels in the store, and a table of what was labelled and what failed
rule label:
    input:
        pool=f"{POOL}/pool.h5",
        split=f"{SELECTION}/split.csv",
        selections=lambda w: selections(w.system),
    output:
        table=f"{LABEL}/batch-{{batch}}.csv",
    params:
        batch=lambda w: int(w.batch),
        labels={k: study["labels"][k] for k in ("labeler", "batches", "net_force_gate_eV_A")},
        settings=lambda w: labeler_settings(w.system),
        store=LABEL_STORE,
    log:
        f"{LOG}/label/batch-{{batch}}.log",
    benchmark:
        f"{BENCHMARK}/label/batch-{{batch}}.tsv"
    conda:
        f"../../envs/{'cp2k' if study['labels']['labeler'] == 'cp2k' else 'minset'}.yaml"
    envmodules:
        *label_modules(),
    threads: study["labels"]["processes"] * study["labels"]["cores"]
    resources:
        # not a parameter: it changes no label, so it need not make any again
        processes=study["labels"]["processes"],
        mem_mb=lambda w, attempt: memory_mb(label_megabytes(), attempt),
        runtime=lambda w, attempt: runtime_min(label_seconds(w.system), attempt),
    message:
        "Label batch {wildcards.batch} of {wildcards.system} with {params.labels[labeler]}"
    script:
        "../../scripts/label_batch.py"
