"""A cache that nobody else can have written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.examples.private_cache import read_cache, write_cache

NAME = "words"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    write_cache(folder, NAME, b"data")
    return folder


def behind_a_link(path: Path) -> None:
    moved = path.rename(path.with_name("elsewhere"))
    path.symlink_to(moved)


def as_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    assert read_cache(folder, NAME) is None
    for data in (b"first", b"second"):
        write_cache(folder, NAME, data)
        assert read_cache(folder, NAME) == data
    assert read_cache(folder, "other") is None
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_folder_and_file_are_for_their_owner_alone(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(PermissionError, match="run can be written by others; chmod go-w"):
        read_cache(folder, NAME)
    with pytest.raises(PermissionError, match="run can be written by others; chmod go-w"):
        write_cache(folder, NAME, b"new")
    assert (folder / NAME).read_bytes() == b"data"


def test_a_folder_that_others_can_read_is_taken(folder: Path) -> None:
    folder.chmod(0o755)
    assert read_cache(folder, NAME) == b"data"


def test_a_folder_behind_a_link_is_refused(folder: Path) -> None:
    behind_a_link(folder)
    with pytest.raises(OSError, match="run"):
        read_cache(folder, NAME)
    with pytest.raises(OSError, match="run"):
        write_cache(folder, NAME, b"new")


def test_what_belongs_to_someone_else_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(PermissionError, match=f"belongs to user {os.getuid()}"):
        read_cache(folder, NAME)
    with pytest.raises(PermissionError, match=f"belongs to user {os.getuid()}"):
        write_cache(folder, NAME, b"new")


@pytest.mark.parametrize(
    "spoil", [lambda path: path.chmod(0o620), behind_a_link, as_a_pipe, Path.unlink]
)
def test_a_file_that_is_not_private_is_never_read_but_replaced(
    folder: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(folder / NAME)
    if spoil is not Path.unlink:
        with pytest.raises(OSError, match=NAME):
            read_cache(folder, NAME)
    write_cache(folder, NAME, b"new")
    assert read_cache(folder, NAME) == b"new"


def test_a_write_that_fails_leaves_what_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_cache(folder, NAME, b"new")
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert read_cache(folder, NAME) == b"data"
