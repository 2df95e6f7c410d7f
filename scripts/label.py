"""Label the part of a set that is one job's."""

import shutil
from pathlib import Path

import pandas as pd

from minset.files import write_csv
from minset.label import LABELERS
from minset.label.batch import label_batch
from minset.published.taking import take_labels
from minset.sets import read_part


def main(
    frames,
    listed,
    table,
    part: int,
    size: int,
    labeler: str,
    settings: dict,
    net_force_gate_eV_A: float,
    store,
    effort: dict,
    processes: int = 1,
    threads: int = 1,
    published: dict | None = None,
) -> None:
    """Label the frames that the store does not have, and write what came of each.

    Of frames that are ``published`` (its ``folder``) labels are taken, not computed; it also has what
    decides ``labels`` in the study.

    Raises
    ------
    RuntimeError
        If frames failed that the next run may label; there is no table then, so that it tries.
    """
    atoms, rows = read_part(frames, listed, part, size)
    # as many as there are cores for: Snakemake may have fewer to give than asked for
    processes = min(processes, threads)
    if published:
        given = LABELERS[labeler], settings | effort, Path(store)
        take_labels(Path(published["folder"]), atoms, *given, decides=published["labels"])
    outcome = label_batch(
        list(zip(rows["frame"].astype(str), atoms, strict=True)),
        LABELERS[labeler],
        settings | effort,
        Path(store),
        Path(table).with_suffix(""),
        net_force_gate_eV_A,
        threads=threads // processes,
        processes=processes,
    )
    shutil.rmtree(Path(table).with_suffix(""), ignore_errors=True)
    again = [f"  frame {row['frame']}: {row['reason']}" for row in outcome if row.pop("try_again")]
    if again:
        first = "\n".join(again[:5])
        raise RuntimeError(
            f"{len(again)} of {len(outcome)} frames could not be labelled this time; run again to have "
            f"them tried again, the others are kept. The first of them:\n{first}"
        )
    # a part can have no frames, and a CSV needs columns all the same
    columns = None if outcome else ["key", "status", "reason"]
    became = pd.DataFrame(outcome, columns=columns).drop(columns="frame", errors="ignore")
    about = rows[[c for c in ("origin", "frame", "role") if c in rows]].reset_index(drop=True)
    write_csv(table, pd.concat([about, became], axis=1))


if "snakemake" in globals():
    from minset.adapter import run

    job = snakemake  # noqa: F821
    system = job.wildcards.system
    more = {"effort": job.config["label_effort"][system]}
    more["published"] = job.config["published"].get(system)
    run(main, job, processes=job.resources.processes, **more)
