"""What minset takes from inside Snakemake still has its effect: real dry runs."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

SNAKEFILE = f"""
import inspect
import sys
from functools import partial

sys.path.insert(0, {str(REPOSITORY / "workflow")!r})
from minset.snakemake_inside import remember_signatures

def named(number, wildcards):
    return f"{{number}}-{{wildcards.name}}"

plain = lambda w: "start"
number, of_input = partial(named, 7), lambda w, input: f"from-{{input.second}}"
# what takes any argument is asked with all of them
whole = lambda w, **given: "-".join(sorted(given))

rule all:
    input: "a.txt"
rule start:
    output: "start"
    shell: "touch {{output}}"
rule made:
    input: plain, second=plain
    output: "{{name}}.txt"
    params: number=number, of_input=of_input, whole=whole
    shell: "echo {{params.number}} {{params.of_input}} {{params.whole}} > {{output}}"

remember_signatures(workflow)

asked = inspect.signature
def signature(function, *arguments, **more):
    if function in (plain, number, of_input, whole):
        raise AssertionError("Snakemake asks inspect for a function that carries its parameters")
    return asked(function, *arguments, **more)
inspect.signature = signature
"""


def test_snakemake_does_not_inspect_functions_that_carry_their_parameters(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    command = [Path(sys.executable).with_name("snakemake"), "-n", "-p", "--cores", "1"]
    planned = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert planned.returncode == 0, planned.stderr
    given = "input-is_unpack-output-resources-threads"
    assert f"echo 7-a from-start {given} > a.txt" in planned.stdout + planned.stderr
