"""Access to a label store: its locks, and what hinders access in one line."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def access_told(path: Path) -> Iterator[None]:
    """Say in one line what hinders access to a file or folder; other errors pass as they are.

    Raises
    ------
    PermissionError, OSError
        No permission, a file system that is read-only, or a file where a folder should be.
    """
    try:
        yield
    except PermissionError as error:
        raise PermissionError(
            f"no permission for {error.filename or path}: have its owner grant it (`chmod -R g+rwX` "
            "for a group), or use a folder of your own"
        ) from error
    except (NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise type(error)(
            f"{error.filename or path} cannot be used: there is a file where a folder should be, or "
            "a folder instead of a file"
        ) from error
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        raise OSError(f"the file system of {error.filename or path} is read-only") from error


def open_store(store: Path) -> Path:
    """Make a store that is not there yet, and see that it can be read and written.

    Raises
    ------
    PermissionError, OSError
        If it cannot.
    """
    store = Path(store)
    with access_told(store):
        store.mkdir(parents=True, exist_ok=True)
        if not os.access(store, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no access", str(store))
    return store


@contextmanager
def lock(store: Path, name: str, wait: bool) -> Iterator[bool]:
    """Hold a lock of the store, of a key or of the whole; yields False where it is another's.

    The kernel drops a flock with the process, however it dies, so none is ever stale. It works on
    local disks, on NFSv4 and on Lustre mounted with flock.

    Parameters
    ----------
    name
        A file in the store's folder ``locks``.
    wait
        Wait while another process has it.

    Raises
    ------
    OSError
        If the file system has no locks, or the lock's file cannot be written.
    """
    path = Path(store) / "locks" / name
    with access_told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        held = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            held = False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise OSError(
                f"the file system of {path} has no file locks (flock), which a label store needs; "
                "put the results on another file system, or have this one mounted with flock"
            ) from error
        yield held
