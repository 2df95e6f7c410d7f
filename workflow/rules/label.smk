# Label: energy, forces and stress of the frames of a set. Labels live in a store that no rule owns: a calculation that
# has finished is never repeated and never deleted.


# part of a set -> labels in the store, and a table of what was labelled and what failed
rule label:
    input:
        frames=f"{SELECTION}/{{labelled}}.h5",
        listed=f"{SELECTION}/{{labelled}}.csv",
    output:
        table=f"{LABEL}/{{labelled}}/part-{{part}}.csv",
    params:
        part=lambda w: int(w.part),
        size=study.settings["labels"]["frames_per_job"],
        labeler=study.settings["labels"]["labeler"],
        settings=lambda w: study.label_settings(w.system),
        net_force_gate_eV_A=study.settings["labels"]["net_force_gate_eV_A"],
        store=LABEL_STORE,
    log:
        f"{LOG}/label/{{labelled}}/part-{{part}}.log",
    benchmark:
        f"{BENCHMARK}/label/{{labelled}}/part-{{part}}.tsv"
    conda:
        MINSET if ALL_TAKEN else f"../../envs/{study.labeler.environment}.yaml"
    envmodules:
        *SITE["modules"].get(study.labeler.name, []),
    threads: study.settings["labels"]["processes"] * study.settings["labels"]["cores"]
    resources:
        **resources_of("label"),
        # not a parameter: it changes no label, so it need not make any again
        processes=study.settings["labels"]["processes"],
    message:
        "Label part {wildcards.part} of {wildcards.labelled} of {wildcards.system} with {params.labeler}"
    script:
        "../../scripts/label.py"
