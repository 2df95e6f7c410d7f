"""Label one batch of a study's frames."""

import shutil
from pathlib import Path

import pandas as pd

from minset.files import write_csv
from minset.label import LABELERS
from minset.label.batch import batch_of, label_batch
from minset.pool.store import read_frames


def main(
    pool,
    split,
    selections,
    table,
    batch: int,
    labels: dict,
    settings: dict,
    store,
    threads: int = 1,
    processes: int = 1,
) -> None:
    """Label the frames of this batch that the store does not have, and write what came of each.

    Raises
    ------
    RuntimeError
        If frames failed that the next run may label; there is no table then, so that it tries.
    """
    roles = pd.read_csv(split)
    held_out = roles.loc[roles["role"] != "candidate", "frame"]
    picked = [pd.read_csv(s)["frame"] for s in _as_list(selections)]
    wanted = sorted(set(pd.concat([held_out, *picked])))
    mine = [f for f in wanted if batch_of(f, labels["batches"]) == batch]
    frames = list(zip(map(str, mine), read_frames(pool, mine), strict=True))
    # as many as there are cores for: Snakemake may have fewer to give than asked for
    processes = min(processes, threads)
    rows = label_batch(
        frames,
        LABELERS[labels["labeler"]],
        settings,
        Path(store),
        Path(table).with_suffix(""),
        labels["net_force_gate_eV_A"],
        threads=threads // processes,
        processes=processes,
    )
    shutil.rmtree(Path(table).with_suffix(""), ignore_errors=True)
    again = [f"  frame {row['frame']}: {row['reason']}" for row in rows if row.pop("try_again")]
    if again:
        first = "\n".join(again[:5])
        raise RuntimeError(
            f"{len(again)} of {len(rows)} frames could not be labelled this time; run again to have them "
            f"tried again, the others are kept. The first of them:\n{first}"
        )
    # a batch can have no frames, and a CSV needs columns all the same
    columns = None if rows else ["frame", "key", "status", "reason"]
    write_csv(table, pd.DataFrame(rows, columns=columns))


def _as_list(paths) -> list:
    return [paths] if isinstance(paths, str | Path) else list(paths)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake, processes=snakemake.resources.processes)  # noqa: F821
