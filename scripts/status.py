"""Print how far a study is: `python scripts/status.py <study> [options of Snakemake]`."""

import argparse
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "workflow"))


def main() -> None:
    """Read the command line and print the report."""
    parser = argparse.ArgumentParser(
        description="What of a study is done, running, failed and to do, and the time left. "
        "It only reads, also while Snakemake runs.",
        epilog="All other options are Snakemake's. Give those of your run that decide what is done "
        "again (--sdm, --rerun-triggers, --profile), and --cores N or, for a cluster, --profile "
        "slurm --jobs N for another estimate of the time.",
    )
    parser.add_argument("study", help="name of a file in config/studies/")
    arguments, options = parser.parse_known_args()

    from minset.status import report

    if not Path("Snakefile").exists() and not {"-s", "--snakefile"} & set(options):
        options += ["--snakefile", str(REPOSITORY / "Snakefile")]  # a project folder
    print(report(arguments.study, options))


if __name__ == "__main__":
    main()
