"""ASE calculators in processes of their own: right numbers, and every way to fail is told."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

import minset
from minset.calculators import (
    CalculatorDied,
    CalculatorProcess,
    CalculatorRaised,
    CalculatorTimeout,
    CalculatorUnusable,
)
from minset.interpreters import package_version

ODD = Path(__file__).parents[1] / "odd_calculators.py"
LJ = {"sigma": 2.5, "epsilon": 0.1, "rc": 6.0, "smooth": True}


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """A function that starts a calculator from a module in the current directory."""
    shutil.copy(ODD, tmp_path / "factories.py")
    monkeypatch.chdir(tmp_path)
    started = []

    def start(name="Odd", **options):
        factory, parameters = f"factories:{name}", options.pop("parameters", {})
        started.append(CalculatorProcess(factory, parameters, **options))
        return started[-1]

    yield start
    for process in started:
        process.close()


def frame(repeat=2) -> Atoms:
    atoms = bulk("Cu", cubic=True) * repeat
    atoms.rattle(0.1, seed=1)
    atoms.set_cell(atoms.cell[:] + 0.1 * np.eye(3)[[1, 2, 0]], scale_atoms=True)
    return atoms


def of(process: CalculatorProcess, atoms: Atoms, **options):
    return process.calculate(atoms.numbers, atoms.positions, atoms.cell[:], atoms.pbc, **options)


@pytest.mark.parametrize(
    ("factory", "parameters", "here"),
    [
        ("ase.calculators.emt:EMT", {}, EMT()),
        ("ase.calculators.lj:LennardJones", LJ, LennardJones(**LJ)),
    ],
)
def test_numbers_are_those_of_the_calculator_to_the_last_bit(factory, parameters, here):
    with CalculatorProcess(factory, parameters) as process:
        for atoms in (frame(), frame(), frame(1), frame()[:1]):
            result = of(process, atoms)
            atoms.calc = here
            assert result.energy_eV == atoms.get_potential_energy()
            np.testing.assert_array_equal(result.forces_eV_A, atoms.get_forces())
            np.testing.assert_array_equal(result.stress_eV_A3, atoms.get_stress(voigt=False))
            assert result.converged is None
        import ase

        assert process.version == f"ase {ase.__version__}"
        assert process.ase_version == ase.__version__


def test_energy_belongs_to_the_forces_and_the_calculator_is_kept(odd):
    process = odd()
    assert of(process, frame()).energy_eV == 2.0
    result = of(process, frame(1))
    assert result.energy_eV == 4.0
    assert result.stress_eV_A3.tolist() == [[1, 6, 5], [6, 2, 4], [5, 4, 3]]
    assert process.version == "factories of unknown version"


def test_no_stress_where_there_is_none(odd):
    assert of(odd("without_stress"), frame()).stress_eV_A3 is None
    atoms = frame()
    atoms.pbc = [True, True, False]
    assert of(odd(), atoms).stress_eV_A3 is None


def test_convergence_is_what_the_calculator_says(odd):
    assert of(odd(), frame()).converged is None
    assert of(odd(parameters={"do": "unconverged"}), frame()).converged is False


def test_what_it_prints_disturbs_nothing(odd, tmp_path):
    process = odd(parameters={"do": "print"}, log=tmp_path / "log", folder=tmp_path)
    for number in (1, 2):
        assert of(process, frame()[:number]).energy_eV == 2.0 * number
    text = (tmp_path / "log").read_text()
    for words in ("imported", "to stdout", "of a child", "straight to the descriptor"):
        assert words in text


def test_nan_passes_for_the_caller_to_judge(odd):
    forces = of(odd(parameters={"do": "nan"}), frame()).forces_eV_A
    assert np.isnan(forces[0, 0])
    assert np.isfinite(forces[1:]).all()


@pytest.mark.parametrize(
    ("do", "kinds", "message"),
    [
        ("raise", ["SCFError", "CalculationFailed"], "no\nluck"),
        ("raise its own", ["KohnShamConvergenceError", "SCFError"], "200 steps"),
    ],
)
def test_what_it_raises_is_told_and_it_goes_on(odd, do, kinds, message):
    process = odd(parameters={"do": do})
    for _ in range(2):
        with pytest.raises(CalculatorRaised) as raised:
            of(process, frame())
        assert (raised.value.kind, raised.value.message) == (kinds[0], message)
        assert raised.value.kinds[: len(kinds)] == kinds
        assert "Exception" in raised.value.kinds


@pytest.mark.parametrize(
    ("do", "missing"), [("lack a module", "no_such_module"), ("lack a program", "no-such-program")]
)
def test_a_calculator_that_lacks_something_is_unusable(odd, do, missing):
    with pytest.raises(CalculatorUnusable, match=rf"lacks something: .*{missing}.*; install it"):
        of(odd(parameters={"do": do}), frame())
    with pytest.raises(CalculatorRaised, match="FileNotFoundError"):
        of(odd(parameters={"do": "lack a file"}), frame())


def test_a_frame_has_a_folder(odd, tmp_path):
    (tmp_path / "frame").mkdir()
    of(odd(parameters={"do": "write a file"}), frame(), folder=Path("frame"))
    assert (tmp_path / "frame/written").exists()


def test_the_version_is_told_without_importing(odd):
    import ase

    assert package_version("ase.calculators.emt", None) == f"ase {ase.__version__}"
    assert package_version("yaml", None).lower().startswith("pyyaml 6")
    assert package_version("no_such.module", None) == "no_such of unknown version"
    with pytest.raises(CalculatorUnusable, match="there is no Python 'no-such-python'"):
        package_version("ase", "no-such-python")
    with pytest.raises(CalculatorUnusable, match="/bin/true is no Python that can"):
        package_version("ase", "/bin/true")


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("exit", "ended with exit code 3; the last line it printed: leaving"),
        ("segfault", "was killed by signal 11; the last line it printed: imported"),
    ],
)
def test_a_process_that_ends_is_told(odd, do, message):
    process = odd(parameters={"do": do})
    with pytest.raises(CalculatorDied, match=message):
        of(process, frame())
    with pytest.raises(CalculatorDied, match="closed"):
        of(process, frame())


def test_a_time_limit_kills_it_and_what_it_started(odd, tmp_path):
    process = odd(parameters={"do": "hang"}, folder=tmp_path)
    of(process, frame(), timeout_s=30)
    started = time.monotonic()
    with pytest.raises(CalculatorTimeout, match=r"time limit of 0\.5 s"):
        of(process, frame(1), timeout_s=0.5)
    assert time.monotonic() - started < 60
    wait_for(lambda: not running_in(tmp_path))


UNUSABLE = [
    ({"python": "no/such/python"}, "Odd", "there is no Python 'no/such/python' here .*`python`"),
    ({"python": "no-such-python"}, "Odd", "there is no Python 'no-such-python' here"),
    ({"python": "/bin/true"}, "Odd", "could not be made: its process ended with exit code 0"),
    ({}, "Ood", "module factories has no Ood, of the calculator factories:Ood; it has Odd"),
    ({}, "raises", "factories:raises cannot be made .* ValueError: no weights at /here"),
    ({}, "exits", "could not be made: its process ended with exit code 7"),
    ({"timeout_s": 0.7}, "hangs", "could not be made: stopped at the time limit of 0.7 s"),
    ({"parameters": {"dow": 1}}, "Odd", "`parameters`: TypeError: .*unexpected .* 'dow'"),
]


@pytest.mark.parametrize(("options", "name", "message"), UNUSABLE)
def test_a_calculator_that_cannot_be_made_is_told_in_a_line(odd, options, name, message):
    with pytest.raises(CalculatorUnusable, match=message) as unusable:
        odd(name, **options)
    assert "\n" not in str(unusable.value)


def test_a_module_that_is_missing_is_told():
    with pytest.raises(CalculatorUnusable, match=r"cannot import no_such.*`python`.*PYTHONPATH"):
        CalculatorProcess("no_such.module:make", {})


def test_the_interpreter_is_the_one_named(tmp_path, monkeypatch):
    """A path from the current directory, not resolved: then it would not be the environment's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    (tmp_path / "own.py").write_text(
        "import sys\nfrom ase.calculators.emt import EMT\n"
        "def make():\n    print(sys.executable)\n    return EMT()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    (tmp_path / "elsewhere").mkdir()
    options = {"python": "bin/python", "folder": tmp_path / "elsewhere", "log": tmp_path / "log"}
    with CalculatorProcess("own:make", {}, **options):
        pass
    assert (tmp_path / "log").read_text().strip() == str(tmp_path / "bin/python")


def test_modules_of_minset_hide_none_of_the_calculator():
    with pytest.raises(CalculatorUnusable, match=r"cannot import calculators"):
        CalculatorProcess("calculators:make", {})


def test_threads_are_limited(odd, tmp_path):
    process = odd(parameters={"do": "print"}, threads=3)
    environment = Path(f"/proc/{process._process.pid}/environ").read_bytes().split(b"\0")
    assert b"OMP_NUM_THREADS=3" in environment


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("do", ["nothing", "hang"])
def test_neither_it_nor_what_it_started_outlives_its_parent(tmp_path, number, do):
    shutil.copy(ODD, tmp_path / "factories.py")
    code = (
        "from minset.calculators import CalculatorProcess; import time\n"
        f"process = CalculatorProcess('factories:Odd', {{'do': {do!r}}}, folder={str(tmp_path)!r})\n"
        "for number in range(2):\n"
        "    process.calculate([29], [[number, 0, 0]], [[3, 0, 0], [0, 3, 0], [0, 0, 3]])\n"
        "    open('started', 'w')\n"
        "time.sleep(600)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(minset.__file__).parents[1])}
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    wait_for((tmp_path / "started").exists)
    wait_for(lambda: "sleep" in names_in(tmp_path) or do == "nothing")
    parent.send_signal(number)
    parent.wait(30)
    wait_for(lambda: not running_in(tmp_path))


def test_what_it_started_does_not_outlive_it(odd, tmp_path):
    process = odd(parameters={"do": "leave a program"}, folder=tmp_path)
    with pytest.raises(CalculatorDied, match="killed by signal 11"):
        of(process, frame())
    wait_for(lambda: not running_in(tmp_path))


def test_a_fork_leaves_it_to_its_owner(odd):
    process = odd()
    child = os.fork()
    if child == 0:
        process.close()
        try:
            of(process, frame())
        except CalculatorDied:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert of(process, frame()).energy_eV == 2.0


def running_in(folder: Path) -> list[int]:
    """Other processes whose working directory is a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = Path(os.readlink(entry / "cwd")) == folder
            if inside and int(entry.name) != os.getpid():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def names_in(folder: Path) -> set[str]:
    """Names of their programs."""
    found = set()
    for number in running_in(folder):
        try:
            found.add(Path(f"/proc/{number}/comm").read_text().strip())
        except OSError:
            continue
    return found


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
