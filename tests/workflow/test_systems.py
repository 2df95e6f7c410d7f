"""Every system with a classical potential through its study, from pool to density; minutes each."""

import numpy as np
import pandas as pd
import pytest
import yaml
from running import REPOSITORY, clone_repository, snakemake

pytestmark = pytest.mark.slow

# Densities of the liquid in g/cm^3 at the temperature of the study, from the fits in the system files; a
# fit that ends below it goes on as a line. Within the error of the potential, the small cell and the
# short run of 64 ions: Tosi and Fumi's melts are 5 to 10 % too light, Ni 2 % and Au 1 % too dense.
STUDIES = {
    "salts": {"kcl": (1.465, 0.12), "nacl": (1.515, 0.12), "nacl-kcl": (1.478, 0.12)},
    "salts-lithium": {"licl": (1.495, 0.12), "licl-kcl": (1.555, 0.12)},
    "nickel": {"ni": (7.649, 0.05)},
    "gold": {"au": (16.82, 0.06)},
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return clone_repository(tmp_path_factory.mktemp("systems"))


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("study", STUDIES)
def test_a_system_goes_from_pool_to_density(study, clone):
    tables = [f"results/{system}/table/{study}/density.csv" for system in STUDIES[study]]
    done = snakemake(clone, study, *tables, "--cores", "2", seconds=2900)
    assert done.status == 0, done.output[-3000:]
    for table, (expected, within) in zip(tables, STUDIES[study].values(), strict=True):
        rows = pd.read_csv(clone / table)
        reference = rows[~rows["engine"].str.contains(r"-n\d+-s1-")]
        density = reference["density_g_cm3"].dropna()
        assert len(density) >= 1
        assert np.allclose(density, expected, rtol=within), rows


def test_every_system_with_a_potential_is_in_a_study():
    shipped = {path.stem for path in (REPOSITORY / "config/systems").glob("*.yaml")}
    with_potential = {
        name
        for name in shipped
        if yaml.safe_load((REPOSITORY / f"config/systems/{name}.yaml").read_text()).get(
            "potentials"
        )
    }
    here = {system for systems in STUDIES.values() for system in systems}
    assert with_potential - here == {"al", "w"}  # demo-metal, w-entropy-laptop
