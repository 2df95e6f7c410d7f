"""Damaged copies of good files, and the loop that hands them to a reader, counts and prints.

Each input is made from the target's name and its own number, so any can be made again alone. MINSET_FUZZ
multiplies the number of inputs; `make fuzz` sets it.
"""

import os
import random
import resource
import time
from collections.abc import Callable

SCALE = float(os.environ.get("MINSET_FUZZ", "1"))
MEMORY = 12 * 2**30  # bytes of address space: what eats memory fails alone, not the whole machine
NUMBERS = (
    b"nan inf -inf 1e999 -1 0 1e-999 ***** 0x1F 1_0 1.5 1D5 99999999999999999999 1,5 -0.0".split()
)
NUMBERS += [
    b"9" * 5000,
    "١٢".encode(),
    b"\xff\xfe",
    b"\x00",
    b"",
    b"\n",
    b"\r\n",
    b"\n\n",
    b" ",
    b":",
]


def fuzz(capsys, target: str, inputs: int, attempt: Callable[[random.Random], None]) -> None:
    """Call ``attempt`` with a random generator per input, and print inputs and seconds."""
    inputs, began = round(inputs * SCALE), time.monotonic()
    limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, limit[1]))
    try:
        for number in range(inputs):
            attempt(random.Random(f"{target} {number}"))
    except BaseException as error:
        error.add_note(f"input {number} of {target!r}")
        raise
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
    show(capsys, target, inputs, time.monotonic() - began)


def show(capsys, target: str, inputs: int, seconds: float) -> None:
    """One line of the table, past pytest's capture."""
    with capsys.disabled():
        print(f"\nfuzz {target:<32}{inputs:>9} inputs{seconds:>8.1f} s", end="", flush=True)


def damaged(rng: random.Random, content: bytes, tokens: list[bytes]) -> bytes:
    """A copy with one to four changes of bytes, words, lines or length."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(_CHANGES)(rng, content, tokens)
    return content


def _place(rng, content) -> int:
    return rng.randrange(len(content) + 1)


def _bit(rng, content, tokens):
    if not content:
        return content
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def _byte(rng, content, tokens):
    at = _place(rng, content)
    return content[:at] + rng.randbytes(1) + content[at + 1 :]


def _cut(rng, content, tokens):
    return content[: _place(rng, content)]


def _without(rng, content, tokens):
    at = _place(rng, content)
    return content[:at] + content[at + rng.randrange(40) :]


def _twice(rng, content, tokens):
    at = _place(rng, content)
    return content[:at] + content[at : at + rng.randrange(200)] + content[at:]


def _token(rng, content, tokens):
    at = _place(rng, content)
    return content[:at] + rng.choice(tokens) + content[at:]


def _word(rng, content, tokens):
    """A token in the place of the word at a random place."""
    at = _place(rng, content)
    end = at + len(content[at : at + 50].split(b" ")[0].split(b"\n")[0])
    return content[:at] + rng.choice(tokens) + content[end:]


def _lines(rng, content, tokens):
    """Two lines swapped, one left out or one twice."""
    lines = content.split(b"\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.randrange(3)
    if change == 0:
        lines[a], lines[b] = lines[b], lines[a]
    elif change == 1:
        del lines[a]
    else:
        lines.insert(b, lines[a])
    return b"\n".join(lines)


_CHANGES = (_bit, _byte, _cut, _without, _twice, _token, _word, _word, _lines)
