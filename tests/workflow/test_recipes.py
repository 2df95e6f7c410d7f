"""The README's ways to begin, as printed there, to their ends: figures, tables and what they say."""

import shutil

import pandas as pd
import pytest
from running import REPOSITORY, clone_repository, snakemake

pytestmark = pytest.mark.slow
CHGNET = REPOSITORY / ".venv-chgnet"
# study, its system, what it needs beside minset, force RMSE in eV/A that a working model stays below
RECIPES = {
    "demo-frames": ("kcl", lambda: None, 0.3),
    "demo-espresso": (
        "al",
        lambda: None if shutil.which("pw.x") else "there is no pw.x here",
        0.6,
    ),
    "demo-universal": (
        "mgcl2",
        lambda: None if CHGNET.exists() else f"no environment of CHGNet: {CHGNET} is missing",
        0.6,
    ),
}


@pytest.mark.timeout(4000)
@pytest.mark.parametrize("study", RECIPES)
def test_a_way_to_begin_comes_to_its_end(study, tmp_path):
    system, lacking, worst_eV_A = RECIPES[study]
    if reason := lacking():
        pytest.skip(reason)
    clone = clone_repository(tmp_path)
    if CHGNET.exists():
        (clone / ".venv-chgnet").symlink_to(CHGNET)
    done = snakemake(clone, study, "--cores", "2", seconds=3900)
    assert done.status == 0, done.output[-5000:]
    errors = pd.read_csv(clone / f"results/{system}/table/{study}/errors.csv")
    assert (errors["force_rmse_eV_A"] < worst_eV_A).all()
    labels = pd.read_csv(clone / f"results/{system}/table/{study}/labels.csv")
    assert (labels["status"] == "labelled").all()
    assert list((clone / f"results/{system}/figure/{study}").glob("*.png"))
