"""Slips of the hand in a study or system file: one line each with file, key and what would be right."""

import pytest
from studies import STUDY, SYSTEM, mistakes

from minset.config import ConfigError, require_known_keys

pytestmark = pytest.mark.usefixtures("small_registries")

# what stands in the file, what is written instead, how the line begins, what it says to do
IN_STUDY = {
    "a time as a duration": (
        "duration_ps: 20",
        "duration_ps: 20:00",
        "pool.duration_ps: 20:00 is",
        "base 60",
    ),
    "a time in braces": ("melt_ps: 2}", "melt_ps: 1:30}", "simulations.n", "plain number"),
    "leading zeros of a pressure": (
        "bar: 5000",
        "bar: 0200",
        "pool.pressure_bar: 0200 is 128",
        "write 200",
    ),
    "leading zero of a seed": (
        "frames: 16, seed: 2",
        "frames: 16, seed: 010",
        "test.seed: 010 is 8",
        "write 10",
    ),
    "leading zero in a list": ("sizes: [8]", "sizes: [010]", "sizes.0: 010 is 8", "write 10"),
    "a comma in a number": (
        "range_A: 5.5",
        "range_A: 5,5",
        "rdf.range_A: 5,5 has a comma",
        "5.5",
    ),
    "a comma in a line of its own": (
        "  ions: 32\n",
        "  ions: 32\n  timestep_fs: 0,5\n",
        "pool.timestep_fs: 0,5 is text",
        "0.5",
    ),
    "a comma and an exponent": (
        "  ions: 32\n",
        "  ions: 32\n  density_g_cm3: 1,5e0\n",
        "pool.density_g_cm3: 1,5e0",
        "1.5e0",
    ),
    "a date as a description": (
        "systems: [kcl]",
        "published: 2026-11-26",
        "published: 2026-11-26 is a date",
        "quote it",
    ),
    "a selector named no": (
        "  random: {}",
        "  no: {selector: random}",
        "selectors: no is false",
        "quote it, 'no'",
    ),
    "a model named on": ("  small:\n", "  on:\n", "models: on is true", "quote it, 'on'"),
    "a potential named off": (
        "  labeler: potential",
        "  labeler: potential\n  settings: {potential: off}",
        "labels.settings.potential: off is false",
        "quote it, 'off'",
    ),
    "yes for a truth": (
        "  rnd: {}",
        "  rnd: {atoms: yes}",
        "selectors.rnd.atoms: yes is true",
        "write true",
    ),
    "a truth in quotes": ("  rnd: {}", "  rnd: {atoms: 'true'}", "selectors.rnd.atoms: ", "'true'"),
    "selectors as a list": (
        "selectors:\n  rnd: {}\n  random: {}",
        "selectors: [rnd, random]",
        "selectors: a list where a mapping belongs",
        "`selectors: {rnd: {}, random: {}}`",
    ),
    "selectors with dashes": (
        "selectors:\n  rnd: {}\n  random: {}",
        "selectors:\n  - rnd\n  - random",
        "selectors: a list where a mapping belongs",
        "`selectors: {rnd: {}, random: {}}`",
    ),
    "one selector as a word": (
        "selectors:\n  rnd: {}\n  random: {}",
        "selectors: random",
        "selectors: 'random' where a mapping belongs",
        "`selectors: {random: {}}`",
    ),
    "a selector of nothing": (
        "  random: {}",
        "  random:",
        "selectors.random: nothing where a mapping",
        "`random: {...}`",
    ),
    "a selector as a list": (
        "  random: {}",
        "  random: []",
        "selectors.random: a list where a mapping",
        "`random: {...}`",
    ),
    "sizes as a number": (
        "sizes: [8]",
        "sizes: 8",
        "sizes: 8 where a list belongs",
        "`sizes: [8]`",
    ),
    "sizes as text": (
        "sizes: [8]",
        "sizes: 8 16",
        "sizes: '8 16' where a list belongs",
        "`sizes: [",
    ),
    "sizes as a mapping": (
        "sizes: [8]",
        "sizes: {8: 16}",
        "sizes: a mapping where a list belongs",
        "`sizes: [8]`",
    ),
    "sizes with text in them": (
        "sizes: [8]",
        "sizes: ['8']",
        "sizes.0: '8' is text",
        "without quotes: 8",
    ),
    "sizes of nothing": (
        "sizes: [8]",
        "sizes:",
        "sizes: nothing where a list belongs",
        "`sizes: [...]`",
    ),
    "no sizes": ("sizes: [8]", "sizes: []", "sizes: [] ", "non-empty"),
    "a size of zero": ("sizes: [8]", "sizes: [0]", "sizes.0: 0 is less than the minimum of 1", "1"),
    "the same size twice": ("sizes: [8]", "sizes: [8, 8]", "sizes: [8, 8]", "non-unique"),
    "half a size": ("sizes: [8]", "sizes: [8.5]", "sizes.0: 8.5 is not a whole number", "whole"),
    "a seed as a number": (
        "seeds: [1]",
        "seeds: 1",
        "seeds: 1 where a list belongs",
        "`seeds: [1]`",
    ),
    "a seed of zero": ("seeds: [1]", "seeds: [0]", "seeds.0: 0 is less than", "minimum of 1"),
    "systems as a word": (
        "systems: [kcl]",
        "systems: kcl",
        "systems: 'kcl' where a list belongs",
        "`systems: [kcl]`",
    ),
    "a system in capitals": (
        "systems: [kcl]",
        "systems: [KCl]",
        "systems.0: 'KCl' cannot be used",
        "lower-case",
    ),
    "a system with its ending": (
        "systems: [kcl]",
        "systems: [kcl.yaml]",
        "systems.0: 'kcl.yaml'",
        "without .yaml",
    ),
    "labels as a word": (
        "labels:\n  labeler: potential",
        "labels: potential",
        "labels: 'potential' where a mapping belongs",
        "indented",
    ),
    "labels as a list": (
        "labels:\n  labeler: potential",
        "labels:\n  - labeler: potential",
        "labels: a list where a mapping belongs",
        "`labels: {",
    ),
    "models as a list": (
        "models:\n  small:",
        "models:\n  - small:",
        "models: a list where a mapping belongs",
        "`models: {",
    ),
    "simulations as a list": ("simulations:\n", "simulations: []\nx:\n", "", "simulations"),
    "a temperature of a ramp alone": (
        "[1700, 1100]",
        "1700",
        "pool.temperature_K: 1700 where a list",
        "[1700]",
    ),
    "a list of pressures of a ramp": (
        "bar: 5000",
        "bar: [5000]",
        "pool.pressure_bar: a list where one number",
        "number",
    ),
    "a temperature with its unit": (
        "temperature_K: 1200, duration_ps: 10",
        "temperature_K: 1200 K, duration_ps: 10",
        "simulations.nvt_1200K.temperature_K: '1200 K' is text",
        "in the unit of its key: 1200",
    ),
    "a duration with its unit": (
        "duration_ps: 20",
        "duration_ps: 20 ps",
        "pool.duration_ps: '20 ps' is text",
        "20",
    ),
    "a number in quotes": (
        "duration_ps: 20",
        "duration_ps: '20'",
        "pool.duration_ps: '20' is text",
        "without quotes",
    ),
    "a number with a blank in it": (
        "bar: 5000",
        "bar: 5 000",
        "pool.pressure_bar: '5 000' is text",
        "alone",
    ),
    "a number that is none": (
        "bar: 5000",
        "bar: .nan",
        "pool.pressure_bar: nan is not a finite number",
        "finite",
    ),
    "infinity": (
        "duration_ps: 20",
        "duration_ps: .inf",
        "pool.duration_ps: inf is not a finite number",
        "finite",
    ),
    "a number beyond all": (
        "bar: 5000",
        "bar: 1e300",
        "pool.pressure_bar: 1e+300 is not a finite",
        "finite",
    ),
    "a description of a number": (
        "systems: [kcl]",
        "published: 5",
        "published: 5 is no text",
        "quote it: '5'",
    ),
    "a truth for a number": ("frames: 200", "frames: true", "pool.frames: True", "integer"),
    "nothing for a number": ("frames: 200", "frames:", "pool.frames: None", "integer"),
    "frames with a point": (
        "frames: 200",
        "frames: 200.0",
        "pool.frames: 200.0 is not a whole number",
        "without point",
    ),
    "a misspelt key": ("duration_ps: 20", "duraton_ps: 20", "pool: ", "duration_ps"),
    "a key in capitals": ("rdf: {range", "RDF: {range", "unknown key RDF", "known are"),
    "a key with the wrong unit": ("duration_ps: 20", "duration_ns: 20", "pool: ", "duration_ps"),
    "a key twice": ("seeds: [1]", "seeds: [1]\nseeds: [2]", "", "given twice"),
    "a tab for blanks": ("  ions: 32\n", "\tions: 32\n", "", "not valid YAML"),
    "a bracket that stays open": ("sizes: [8]", "sizes: [8", "", "not valid YAML"),
    "a brace that stays open": (
        "size: small, seed: 4}",
        "size: small, seed: 4",
        "",
        "not valid YAML",
    ),
    "a colon without a blank": ("sizes: [8]", "sizes:[8]", "", "not valid YAML"),
    "an equals sign": ("sizes: [8]", "sizes = [8]", "", "not valid YAML"),
    "an alias of nothing": ("[1700, 1100]", "*hot", "", "not valid YAML"),
    "an ensemble in capitals": (
        "ensemble: nvt",
        "ensemble: NVT",
        "simulations.nvt_1200K.ensemble: 'NVT'",
        "nve, nvt, npt",
    ),
    "a size of no network": (
        "    size: small",
        "    size: tiny",
        "models.small.size: 'tiny' is not known",
        "small, medium, large",
    ),
    "frames rarer than the run is long": (
        "temperature_K: 1200, duration_ps: 10",
        "temperature_K: 1200, sample_ps: 20, duration_ps: 10",
        "simulations.nvt_1200K.sample_ps: a frame every 20 ps",
        "at most 1",
    ),
    "a batch larger than the set": (
        "batch_size: 2",
        "batch_size: 64",
        "models.small.training.batch_size: 64 frames",
        "at most 8",
    ),
    "a cutoff larger than the cell": (
        "    size: small",
        "    size: small\n    cutoff_A: 60",
        "models.small.cutoff_A: 60 A",
        "at most 22",
    ),
    "a batch of none": (
        "batch_size: 2",
        "batch_size: 0",
        "models.small.training.batch_size: 0 is less",
        "minimum of 1",
    ),
    "a learning rate with a comma": (
        "{batch_size: 2, learning_rate: 2.0e-3, max_epochs: 80}",
        "\n      learning_rate: 2,0e-3",
        "models.small.training.learning_rate: 2,0e-3 is text",
        "2.0e-3",
    ),
    "a learning rate that shrinks nothing": (
        "2.0e-3",
        "0",
        "models.small.training.learning_rate: 0 is",
        "0",
    ),
    "a name with a dash": (
        "  small:\n",
        "  small-net:\n",
        "models: 'small-net' cannot be used",
        "letters, digits and _",
    ),
    "a name with a blank": (
        "  nvt_1200K:",
        "  nvt 1200K:",
        "simulations: 'nvt 1200K' cannot be used",
        "letters, digits and _",
    ),
    "a temperature below zero": (
        "temperature_K: 1200, duration_ps: 10",
        "temperature_K: -1200, duration_ps: 10",
        "simulations.nvt_1200K.temperature_K: -1200",
        "minimum of 0",
    ),
    "one ion": (
        "ions: 32, temperature_K: 1200, duration_ps: 10",
        "ions: 1, temperature_K: 1200, duration_ps: 10",
        "simulations.nvt_1200K.ions: 1 is less",
        "minimum of 2",
    ),
    "a study that is a list": ("description: >-", "- description: >-", "", "not valid YAML"),
    "published from the root of the disk": (
        "systems: [kcl]",
        "systems: [kcl]\npublished: /data",
        "published: ",
        "/data",
    ),
}
IN_SYSTEM = {
    "nobelium": ("  Cl: {charge", "  No: {charge", "species: No is false", "quote it, 'No'"),
    "a charge with a comma": (
        "  K: {charge: 1.0, mass_u: 39.0983, count: 1}",
        "  K:\n    charge: 1,0",
        "species.K.charge: 1,0 is text",
        "1.0",
    ),
    "species as a list": (
        "species:\n  K: {charge: 1.0, mass_u: 39.0983, count: 1}\n"
        "  Cl: {charge: -1.0, mass_u: 35.453, count: 1}",
        "species: [K, Cl]",
        "species: a list where a mapping belongs",
        "`species: {K: {}, Cl: {}}`",
    ),
    "a melting point as a number": (
        "melting_point_K:\n  value: 1044.15\n  source: CRC",
        "melting_point_K: 1044.15\nx:\n  source: CRC",
        "melting_point_K: 1044.15 where a mapping",
        "mapping",
    ),
    "a cutoff of a labeler with its unit": (
        "  cutoff_Ry: 400",
        "  cutoff_Ry: 400 Ry",
        "cp2k.cutoff_Ry: '400 Ry' is text",
        "400",
    ),
    "fits as a mapping": ("    - name: Janz 1988", "      name: Janz 1988", "", "YAML"),
}
SLIPS = {f"study: {k}": (STUDY, *v) for k, v in IN_STUDY.items()}
SLIPS |= {f"system: {k}": (SYSTEM, *v) for k, v in IN_SYSTEM.items()}


@pytest.mark.parametrize("case", SLIPS)
def test_a_slip_gives_a_line_with_file_key_and_remedy(case, config):
    file, written, instead, key, remedy = SLIPS[case]
    text = (config / file).read_text()
    assert written in text
    (config / file).write_text(text.replace(written, instead, 1))
    lines = mistakes(config)
    assert lines[0].startswith(f"{config / file}"), lines
    assert any(
        line.removeprefix(f"{config / file}: ").startswith(key) and remedy in line for line in lines
    ), lines
    assert len(lines) <= 2, lines


def test_an_unknown_key_of_snakemakes_config_is_told():
    require_known_keys({"study": "demo", "mdsuite_python": "python"})
    with pytest.raises(ConfigError, match=r"--config Study=.*: unknown key; write study"):
        require_known_keys({"Study": "x"})
    with pytest.raises(
        ConfigError, match=r"cutoff=.*: unknown key; known are mdsuite_python, model, study"
    ):
        require_known_keys({"study": "x", "cutoff": 6})
