"""Averages along a run: exact where they must be, with error bars that cover."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from minset.observe.density import (
    RECORD,
    average_from_thermo,
    block_average,
    density_from_thermo,
    experimental_density,
    thermo_averages,
)


def thermo(n: int = 1000, **columns) -> pd.DataFrame:
    return pd.DataFrame({"time_ps": np.arange(n) * 0.1} | columns)


def test_constant_series_has_its_value_and_no_error():
    value, stderr = density_from_thermo(thermo(density_g_cm3=1.527), discard_fraction=0.2)
    assert value == pytest.approx(1.527)
    assert stderr == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.98])
def test_error_of_a_correlated_series_is_the_scatter_of_repetitions(memory):
    """AR(1) series x_t = memory x_(t-1) + noise: the mean's error is 1 / (1 - memory) / sqrt(n)."""
    rng = np.random.default_rng(4)
    series = [lfilter([1], [1, -memory], rng.normal(size=10_000)) for _ in range(100)]
    means, errors = np.array([block_average(one) for one in series]).T
    exact = 1 / (1 - memory) / np.sqrt(10_000)
    assert np.mean(errors) == pytest.approx(exact, rel=0.15)
    assert np.mean(np.abs(means) < 2 * errors) > 0.88
    naive = np.std(series[0]) / np.sqrt(10_000)
    if memory:
        assert naive < 0.5 * np.mean(errors)


def test_equilibration_is_discarded():
    drift = np.where(np.arange(1000) < 400, 9.0, 1.5)
    value, _ = density_from_thermo(thermo(density_g_cm3=drift), discard_fraction=0.5)
    assert value == pytest.approx(1.5)


def test_one_row_with_units_for_what_the_run_recorded():
    rng = np.random.default_rng(5)
    table = thermo(density_g_cm3=rng.normal(1.5, 0.01, 1000), temperature_K=1300.0)
    averages = thermo_averages(table, discard_fraction=0.1)
    assert averages.columns.tolist() == [
        "density_g_cm3",
        "density_stderr_g_cm3",
        "temperature_K",
        "temperature_stderr_K",
    ]
    assert averages["density_g_cm3"][0] == pytest.approx(1.5, abs=0.002)
    assert averages["density_stderr_g_cm3"][0] == pytest.approx(0.01 / np.sqrt(900), rel=0.3)


@pytest.mark.parametrize(
    ("table", "column", "discard", "message"),
    [
        (thermo(density_g_cm3=1.0), "pressure_bar", 0.1, "without pressure_bar"),
        (thermo(density_g_cm3=1.0), "density_g_cm3", 1.0, "discard_fraction = 1.0"),
        (thermo(20, density_g_cm3=1.0), "density_g_cm3", 0.5, "density_g_cm3: .* at least 16"),
        (thermo(density_g_cm3=np.nan), "density_g_cm3", 0.1, "not finite"),
    ],
)
def test_what_cannot_be_averaged_says_why(table, column, discard, message):
    with pytest.raises(ValueError, match=message):
        average_from_thermo(table, column, discard)


def test_the_record_averages_a_stable_run_and_names_its_temperature_apart(tmp_path):
    path = tmp_path / "thermo.csv"
    thermo(density_g_cm3=1.5, temperature_K=1300.0, pressure_bar=1.0).to_csv(path, index=False)
    source = {"thermo": path, "verdict": {"stable": True}}
    (table,) = RECORD.observe(source, {}, {}, 1).values()
    assert table["density_g_cm3"].tolist() == pytest.approx([1.5])
    assert "measured_temperature_K" in table
    assert "temperature_K" not in table
    broken = RECORD.observe(source | {"verdict": {"stable": False}}, {}, {}, 1)["density"]
    assert broken.columns.tolist() == ["note"]
    assert broken.empty


def test_experimental_densities_are_those_of_all_fits_that_hold(nacl):
    rows = experimental_density(nacl["reference"], 1200.0)
    assert [row["source"] for row in rows] == ["Janz 1988", "Kirshenbaum 1962"]
    assert rows[0]["density_g_cm3"] == pytest.approx(2.1389 - 5.426e-4 * 1200)
    assert rows[0]["density_stderr_g_cm3"] == pytest.approx(0.005 * rows[0]["density_g_cm3"])
    assert len(experimental_density(nacl["reference"], 1500.0)) == 1
    assert experimental_density({}, 1200.0) == []


def test_an_experiment_without_an_uncertainty_has_no_error(kcl):
    """Not one of 0."""
    (fit, _) = kcl["reference"]["density"]
    told = {key: value for key, value in fit.items() if key != "uncertainty_percent"}
    (row,) = experimental_density({"density": [told]}, 1200)
    assert row["density_g_cm3"] == pytest.approx(1.43618)
    assert np.isnan(row["density_stderr_g_cm3"])
