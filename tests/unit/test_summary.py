"""The summary of a study, and what its report opens with."""

import math

import pandas as pd
import pytest

from minset.compare.front_page import front_page, with_error
from minset.compare.summary import summary

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8ff"
    "ff3f0005fe02fe0def46b80000000049454e44ae426082"
)


def tables(densities: dict[str, tuple[float, float]]) -> dict[str, pd.DataFrame]:
    """Tables of a study of two selectors with two seeds, and densities with standard errors."""
    errors = pd.DataFrame(
        [
            ("random", 4, 1, 0.9, 1.0),
            ("random", 8, 1, 0.4, 1.0),
            ("random", 8, 2, 0.1, 3.0),
            ("rnd", 8, 1, 0.2, 2.0),
            ("rnd", 8, 2, 0.2, 2.0),
        ],
        columns=["selector", "size", "seed", "force_rmse_eV_A", "energy_rmse_meV_atom"],
    )
    errors["model"] = "small"
    for name in ("force_mae_eV_A", "force_l4_eV_A", "force_max_eV_A"):
        errors[name] = errors["force_rmse_eV_A"]
    rows = [
        {"engine": e, "density_g_cm3": v, "density_stderr_g_cm3": s, "source": "minset"}
        for e, (v, s) in densities.items()
    ]
    measured = pd.DataFrame(rows).assign(simulation="npt", temperature_K=1200)
    measured.loc[measured["engine"].eq("experiment"), "source"] = "Janz"
    return {
        "errors": errors,
        "selection": pd.DataFrame(
            {
                "selector": ["random"] * 16 + ["rnd"] * 14 + ["random"] * 4,
                "seed": [1, 2] * 15 + [3] * 4,  # one seed has the smaller size alone
            }
        ),
        "labels": pd.DataFrame({"status": ["labelled"] * 29 + ["failed"], "seconds": [360.0] * 30}),
        "density": measured,
        "stability": pd.DataFrame(
            {
                "simulation": "npt",
                "temperature_K": 1200,
                "engine": ["random-n8-s1-small", "random-n8-s2-small", "random-n4-s1-small"],
                "stable": [True, False, True],
            }
        ),
    }


def row_of(table: pd.DataFrame, quantity: str, engine: str) -> pd.Series:
    rows = table[table["quantity"].eq(quantity) & table["engine"].eq(engine)]
    assert len(rows) == 1, rows
    return rows.iloc[0]


DENSITIES = {
    "random-n8-s1-small": (1.50, 0.001),
    "random-n8-s2-small": (1.54, 0.001),
    "rnd-n8-s1-small": (1.47, 0.01),
    "random-n4-s1-small": (9.0, 0.001),
    "bmhtf": (1.40, 0.01),
    "experiment": (1.48, 0.01),
}


def test_largest_sets_over_seeds():
    table = summary(tables(DENSITIES))
    rmse = row_of(table, "force RMSE", "random, 8 frames")
    assert rmse["value"] == pytest.approx(0.2)  # geometric mean of 0.4 and 0.1
    assert rmse["runs"] == 2
    assert row_of(table, "energy RMSE", "random, 8 frames")["value"] == 2.0
    assert row_of(table, "stable runs", "random, 8 frames")["note"] == "1 of 2"
    assert row_of(table, "training frames", "random, 8 frames")["value"] == 8
    assert row_of(table, "training frames", "rnd, 8 frames")["value"] == 7  # one pick was not made
    (labels,) = table.loc[table["engine"].isna(), "note"]
    assert labels == "29 frames labelled in 3.0 h of the labeler, 1 failed"
    assert not table["engine"].fillna("").str.contains("4 frames").any()


def test_runs_that_differ_set_the_standard_error():
    table = summary(tables(DENSITIES))
    density = row_of(table, "density", "random, 8 frames")
    assert density["value"] == pytest.approx(1.52)
    assert density["stderr"] == pytest.approx(0.02)  # 0.04 apart, not 0.0007 of either run
    single = row_of(table, "density", "rnd, 8 frames")
    assert single["stderr"] == pytest.approx(0.01)


def test_marks_are_for_differences_beyond_both_intervals():
    table = summary(tables(DENSITIES))
    # 0.12 from the reference with 0.022, 0.04 from the experiment with 0.022
    assert row_of(table, "density", "random, 8 frames")["differs_from"] == "bmhtf"
    far = DENSITIES | {"random-n8-s2-small": (1.50, 0.001), "experiment": (1.481, 0.01)}
    density = row_of(summary(tables(far)), "density", "random, 8 frames")
    assert density["differs_from"] == "bmhtf"  # 0.019 with a standard error of 0.010
    far |= {"experiment": (1.47, 0.01)}
    density = row_of(summary(tables(far)), "density", "random, 8 frames")
    assert density["differs_from"] == "bmhtf; experiment"
    # one of two experiments that contradict each other is enough
    of_two = tables(far)
    second = of_two["density"].tail(1).assign(source="Kirshenbaum", density_g_cm3=1.505)
    of_two["density"] = pd.concat([of_two["density"], second], ignore_index=True)
    density = row_of(summary(of_two), "density", "random, 8 frames")
    assert density["differs_from"] == "bmhtf"


def test_certificates_give_the_labels_a_column():
    of_study = tables(DENSITIES)
    about = {"simulation": "npt", "temperature_K": 1200, "engine": "rnd-n8-s1-small"}
    of_study["certificate"] = pd.DataFrame(
        [
            about | {"quantity": "force_rmse", "verdict": "certified", "difference": 0.04},
            about
            | {"quantity": "density", "verdict": "undecided", "labels": 1.51}
            | {"labels_stderr": 0.01, "unit": "g/cm^3"},
            about | {"quantity": "all", "verdict": "undecided"},
        ]
    ).assign(difference_stderr=0.001)
    table = summary(of_study)
    note = row_of(table, "certificate", "rnd, 8 frames")["note"]
    assert note == "certified: force rmse; undecided: density"
    assert row_of(table, "density", "labels")["value"] == 1.51
    differs = row_of(table, "density", "rnd, 8 frames")["differs_from"]
    assert differs == "labels; bmhtf"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.4388, 0.0019), "1.4388(19)"),
        ((1.4388, 0.0021), "1.439(2)"),
        ((1.4388, 0.0096), "1.439(10)"),
        ((1205.3, 14.0), "1205(14)"),
        ((0.0441, math.nan, 0.0402, 0.05), "0.0441 (0.0402-0.0500)"),
        ((0.046,), "0.0460"),
        ((32.0,), "32"),
        ((-1.58, 0.39), "-1.6(4)"),
        ((math.nan, 0.1), "-"),  # a peak that noise hides
    ],
)
def test_errors_on_the_last_digits(numbers, text):
    assert with_error(*numbers) == text


def test_the_page_holds_for_docutils_and_jinja(tmp_path):
    """As Snakemake renders it: through Jinja, then docutils."""
    import jinja2
    from docutils.core import publish_parts

    summary(tables(DENSITIES)).to_csv(tmp_path / "summary.csv", index=False)
    (tmp_path / "density.png").write_bytes(PIXEL + bytes(20_000))
    page = front_page(
        "demo",
        "a {{ brace }} & <tag>",
        {"kcl": (tmp_path / "summary.csv", [tmp_path / "density.png"])},
    )
    text = jinja2.Environment().from_string(page).render()
    shown = publish_parts(text, writer_name="html", settings_overrides={"halt_level": 2})[
        "html_body"
    ]
    assert "<td>1.52(2)*</td>" in shown
    assert "<th>random, 8 frames</th>" in shown
    assert "&lt;tag&gt;" in shown
    assert 'alt="density"' in shown
    assert "29 frames labelled" in shown
