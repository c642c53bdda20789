"""Files that hold what can be made again, which nobody else can have written."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def read_cache(folder: Path, name: str) -> bytes | None:
    """Return what `write_cache` has put there, or None when there is nothing yet.

    Raises OSError, also when someone else than this process's user could have written it: when the
    folder or the file is another's, a symbolic link, or can be written by a group or by all.
    """
    with suppress(FileNotFoundError), _opened(folder) as directory:
        # Without O_NONBLOCK, opening a named pipe would wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=directory), "rb") as file:
            _refuse_unless_private(file.fileno(), folder / name, stat.S_IFREG)
            return file.read()
    return None


def write_cache(folder: Path, name: str, data: bytes) -> None:
    """Write a file that readers see whole or not at all; a folder that is missing is made.

    Raises OSError, as `read_cache` does.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _opened(folder) as directory:
        partial = f"{name}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with open(os.open(partial, flags, 0o600, dir_fd=directory), "wb") as file:
                file.write(data)
            os.replace(partial, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            with suppress(OSError):
                os.unlink(partial, dir_fd=directory)
            raise


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open a private folder, so that what is then looked up is in this one, whoever moves it."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    directory = os.open(folder, flags)
    try:
        _refuse_unless_private(directory, folder, stat.S_IFDIR)
        yield directory
    finally:
        os.close(directory)


def _refuse_unless_private(opened: int, path: Path, kind: int) -> None:
    status = os.fstat(opened)
    if stat.S_IFMT(status.st_mode) != kind:
        raise PermissionError(f"{path} is no {'folder' if kind == stat.S_IFDIR else 'plain file'}")
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to user {status.st_uid}, not to {os.geteuid()}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{path} can be written by others; chmod go-w would mend it")
