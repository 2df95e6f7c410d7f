# Selection: which frames of the pool are worth labelling.


# pool -> a descriptor of each frame, or of each of its atoms
rule describe:
    input:
        pool=f"{POOL}/pool.h5",
    output:
        descriptors=f"{SELECTION}/descriptors-{{descriptor}}.npy",
    params:
        of=lambda w: w.descriptor,
        options=canonical(study.settings["descriptors"]),
    log:
        f"{LOG}/describe/{{descriptor}}.log",
    benchmark:
        f"{BENCHMARK}/describe/{{descriptor}}.tsv"
    conda:
        MINSET
    resources:
        **resources_of("describe"),
    message:
        "Describe the {wildcards.descriptor} of the pool of {wildcards.system}"
    script:
        "../../scripts/describe.py"


# pool -> role of each frame, and the set of test and validation frames; the rest are candidates
rule split:
    input:
        pool=f"{POOL}/pool.h5",
        summary=f"{POOL}/pool.csv",
        runs=f"{POOL}/runs.csv",
        descriptors=expand(
            f"{SELECTION}/descriptors-{{descriptor}}.npy",
            descriptor=study.descriptors_of_split(),
            allow_missing=True,
        ),
    output:
        split=f"{SELECTION}/split.csv",
        frames=f"{SELECTION}/{HELD_OUT}.h5",
        table=f"{SELECTION}/{HELD_OUT}.csv",
    params:
        test=canonical(study.settings["test"]),
        validation=canonical(study.settings["validation"]),
        held_out=held_out_runs(study.settings),
    log:
        f"{LOG}/split.log",
    conda:
        MINSET
    message:
        "Set test and validation frames of {wildcards.system} apart"
    script:
        "../../scripts/split.py"


# candidates, what smaller sizes picked and, for some selectors, the models or a certificate of the size before -> the frames
# that a size adds
rule select:
    input:
        pool=f"{POOL}/pool.h5",
        split=f"{SELECTION}/split.csv",
        descriptors=lambda w: [
            placed(f"{SELECTION}/descriptors-{kind}.npy", w)
            for kind in study.descriptors_of(w.set)
        ],
        known=lambda w: placed([f"{SELECTION}/{name}.csv" for name in study.smaller(w.set)], w),
        models=lambda w: placed(model_files(study.committee(w.set)), w),
        certificate=lambda w: placed(study.certificate_files(w.set), w),
    output:
        frames=f"{SELECTION}/{{set}}.h5",
        table=f"{SELECTION}/{{set}}.csv",
    params:
        selector=lambda w: study.selector(w.set),
        seed=lambda w: set_row(w.set)["seed"],
        size=lambda w: set_row(w.set)["size"],
        options=lambda w: study.selector_options(w.set, w.system),
    log:
        f"{LOG}/select/{{set}}.log",
    benchmark:
        f"{BENCHMARK}/select/{{set}}.tsv"
    conda:
        MINSET
    resources:
        **resources_of("select"),
    message:
        "Select frames of {wildcards.system}: {wildcards.set} by {params.selector}"
    script:
        "../../scripts/select_frames.py"
