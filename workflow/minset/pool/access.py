"""Opening a pool's file: its seal, and what is said of one that cannot be read."""

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py

# a pool ends in these bytes and a hash of all before them; HDF5 does not look beyond its own end
SEAL, DIGEST = b"minset-blake2b-1", 32


def seal(path: Path) -> None:
    """Append the seal to a file that has none."""
    with open(path, "rb+") as file:
        digest = _digest(file, os.path.getsize(path))
        file.seek(0, os.SEEK_END)
        file.write(SEAL + digest)


@contextlib.contextmanager
def opened(path: Path) -> Iterator["h5py.File"]:
    """Open a pool, and turn what HDF5 says of one that cannot be read into a line with the remedy."""
    import h5py

    try:
        status = os.stat(path)
        _require_whole(path, status.st_size, status.st_mtime_ns)
        with h5py.File(path) as file:
            yield file
    except Exception as error:  # HDF5 and znh5md raise many kinds
        raise _explained(path, error) from error


def _explained(path: Path, error: Exception) -> Exception:
    """Say whether a file is missing, closed to this user or program, or damaged.

    Only of damage is the remedy to remove it.
    """
    number = getattr(error, "errno", None)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(
            f"there is no pool {path}; run the pool again, or correct the path"
        )
    if isinstance(error, PermissionError):
        return PermissionError(
            f"no permission to read the pool {path}; its owner can give it (chmod a+r for the file, "
            "a+x for the folders above it)"
        )
    if number in (errno.EMFILE, errno.ENFILE):
        return OSError(
            f"the pool {path} cannot be opened: too many files are open; raise the limit (ulimit -n) "
            "or run fewer jobs at a time"
        )
    if "unable to lock file" in str(error) or _is_being_written(path):
        return BlockingIOError(
            f"the pool {path} is locked: another program has it open for writing, or its file system "
            "has no locks; close that program, or, if there is none, set the environment variable "
            "HDF5_USE_FILE_LOCKING=FALSE"
        )
    # from the system itself, or a broken disk or network; HDF5 gives damage numbers too
    if getattr(error, "filename", None) or number in (errno.EIO, errno.ESTALE):
        return OSError(
            f"the pool {path} cannot be read: {os.strerror(number)}; the file may be whole"
        )
    return ValueError(f"the pool {path} cannot be read ({error}); remove it and run the pool again")


def _is_being_written(path: Path) -> bool:
    """Whether another program holds HDF5's lock of writers."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no locks here, so nobody holds one
        return False
    return False


@functools.lru_cache(maxsize=64)
def _require_whole(path: Path, size: int, changed_ns: int) -> None:
    """HDF5 crashes over some damage and reads zeros over other: compare the file with its seal.

    A file without one, as other programs write it, passes.
    """
    with open(path, "rb") as file:
        end = max(0, size - len(SEAL) - DIGEST)
        file.seek(end)
        ending = file.read()
        file.seek(0)
        if ending.startswith(SEAL) and ending != SEAL + _digest(file, end):
            raise ValueError("its content does not match its checksum")


def _digest(file, size: int) -> bytes:
    """Hash of the first ``size`` bytes of an open file."""
    digest = hashlib.blake2b(digest_size=DIGEST)
    while size and (block := file.read(min(size, 2**20))):
        digest.update(block)
        size -= len(block)
    return digest.digest()
