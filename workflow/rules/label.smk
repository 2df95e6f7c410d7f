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
        labels=study["labels"],
        settings=lambda w: labeler_settings(w.system),
        store=LABEL_STORE,
    log:
        f"{LOG}/label/batch-{{batch}}.log",
    benchmark:
        f"{BENCHMARK}/label/batch-{{batch}}.tsv"
    conda:
        f"../../envs/{'cp2k' if study['labels']['labeler'] == 'cp2k' else 'minset'}.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=1440,
    message:
        "Label batch {wildcards.batch} of {wildcards.system} with {params.labels[labeler]}"
    script:
        "../../scripts/label_batch.py"
