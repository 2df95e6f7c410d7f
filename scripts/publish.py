"""Publish what a study has: `python scripts/publish.py <study> [--pool]`, any time, also again."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))


def main(name: str, with_pool: bool = False) -> list[Path]:
    """Write the folder of each system of a study, and its README; return the folders.

    Raises
    ------
    ValueError
        If results, or what is published already, are damaged, or something published would be lost.
    OSError
        If there are no results, or no access to them.
    """
    from minset.published.card import README, card_text
    from minset.published.publish import publish, results_of, write_if_other
    from minset.study import read_study

    study = read_study(name, say=lambda line: None)
    folders = []
    for system in study.systems:
        results = results_of(study, system)
        folder = publish(results, with_pool)
        card = folder / README
        before = card.read_text(encoding="utf-8") if card.exists() else None
        write_if_other(card, card_text(before, results).encode())
        print(
            f"{folder}: {len(results.labels)} labels, {len(results.failures)} failures, "
            f"{len(results.missing)} frames without either"
        )
        folders.append(folder)
    if "published" not in study.settings:
        print(
            f"to have it taken, add to config/studies/{name}.yaml: published: {folder.as_posix()}"
        )
    return folders


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Write labels, selections, tables and figures of a study to its folder of "
        "published results, from which anyone can run it without the labeler."
    )
    parser.add_argument("study", help="name of a file in config/studies/")
    parser.add_argument("--pool", action="store_true", help="write the frames of the pool, too")
    arguments = parser.parse_args()
    try:
        main(arguments.study, arguments.pool)
    except (OSError, ValueError) as error:
        sys.exit(f"publish: {error}")
