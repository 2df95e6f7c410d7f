# Certificate: frames that a trained model made itself, to be labelled, so that its errors are seen where it goes.


# simulation of a model -> some of its frames, far enough apart to be independent
rule certificate_frames:
    input:
        trajectory=f"{SIMULATION}/{{simulation}}/{{engine}}/trajectory.lammpstrj",
        thermo=f"{SIMULATION}/{{simulation}}/{{engine}}/thermo.csv",
        verdict=f"{SIMULATION}/{{simulation}}/{{engine}}/verdict.json",
        model=lambda w: placed(model_files([w.engine]), w),
    output:
        frames=f"{SELECTION}/{CERTIFICATE}/{{simulation}}/{{engine}}.h5",
        table=f"{SELECTION}/{CERTIFICATE}/{{simulation}}/{{engine}}.csv",
    params:
        most=lambda w: study.frames_of(certificate_name(w.simulation, w.engine)),
    log:
        f"{LOG}/certificate_frames/{{simulation}}/{{engine}}.log",
    conda:
        MINSET
    resources:
        **resources_of("certificate_frames"),
    message:
        "Take frames of {wildcards.simulation} with {wildcards.engine} of {wildcards.system} to certify it"
    script:
        "../../scripts/certificate_frames.py"
