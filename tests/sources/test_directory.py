"""Cases H of the contract that concern what is found on disk, and when a version is complete."""

import os
from pathlib import Path

import pytest

from slipway.lifecycle.source import SourceUnavailableError
from slipway.lifecycle.version_policy import All, Latest, Specific, VersionPolicy
from slipway.sources.directory import DirectorySource, version_number


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "non_numerical_child").mkdir()
    return tmp_path


def source_of(base_path: Path, policy: VersionPolicy | None = None) -> DirectorySource:
    """A source to which a folder is complete when it has no file `unfinished`."""

    def reason(folder: Path) -> str | None:
        return "unfinished" if (folder / "unfinished").exists() else None

    return DirectorySource("m", base_path, policy or Latest(), reason)


def settled(source: DirectorySource) -> list[int]:
    """Return what is wanted once the files have been seen twice."""
    source.poll()
    return sorted(source.poll().wanted)


@pytest.mark.parametrize(
    ("case", "children", "policy", "wanted"),
    [
        ("H1", [], Latest(), []),
        ("H3", ["42", "17"], Latest(), [42]),
        ("H4", ["42", "17"], All(), [17, 42]),
        ("H5", ["42", "33", "30", "21", "17"], Latest(3), [30, 33, 42]),
        ("H6", ["42", "33", "30"], Latest(), [42]),
        ("H7", ["42", "33", "30", "21", "17"], Specific(frozenset({17, 30})), [17, 30]),
        ("H8", ["42", "33", "30", "21", "17"], Specific(frozenset()), []),
        ("H12", ["20170111173521"], Latest(), [20170111173521]),
    ],
)
def test_versions_are_found(
    base: Path, case: str, children: list[str], policy: VersionPolicy, wanted: list[int]
) -> None:
    for child in children:
        (base / child).mkdir()
    assert settled(source_of(base, policy)) == wanted, case


def test_h2_a_missing_base_path_says_so_until_it_is_there(tmp_path: Path) -> None:
    source = source_of(tmp_path / "later")
    with pytest.raises(SourceUnavailableError, match=r"Could not find base path .* for servable m"):
        source.poll()
    (tmp_path / "later" / "3").mkdir(parents=True)
    assert settled(source) == [3]


def test_h7_a_specific_version_may_have_leading_zeros(base: Path) -> None:
    for child in ("42", "30", "00017"):
        (base / child).mkdir()
    source = source_of(base, Specific(frozenset({17, 30, 99})))
    source.poll()
    found = source.poll()
    assert found.wanted == {17: base / "00017", 30: base / "30"}
    assert found.absent == {99}


def test_h9_another_policy_wants_others_of_the_same_folders(base: Path) -> None:
    for child in ("1", "02", "3", "5", "8", "13"):
        (base / child).mkdir()
    source = source_of(base, Latest(2))
    assert settled(source) == [8, 13]
    source = source.with_policy(Specific(frozenset({5, 8})))
    found = source.poll()
    assert found.wanted == {8: base / "8"}, "what was complete stays so"
    assert settled(source) == [5, 8]
    source = source.with_policy(Specific(frozenset({2, 5})))
    assert settled(source) == [2, 5]
    assert source.poll().wanted[2] == base / "02"


def test_h10_a_folder_that_is_renamed_to_no_number_is_gone(base: Path) -> None:
    for child in ("1", "2", "3", "5", "8"):
        (base / child).mkdir()
    source = source_of(base, All())
    assert settled(source) == [1, 2, 3, 5, 8]
    for child in ("2", "5"):
        (base / child).rename(base / f"{child}.denied")
    os.rmdir(base / "8")
    assert sorted(source.poll().wanted) == [1, 3]


def test_h11_one_of_several_folders_with_one_number_counts(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for child in ("0001", "001", "00001"):
        (base / child).mkdir()
    source = source_of(base)
    source.poll()
    assert source.poll().wanted == {1: base / "001"}
    assert caplog.text.count("both version 1 of m") == 2, "each pair is named once"


def test_h13_a_deleted_version_is_wanted_no_more(base: Path) -> None:
    (base / "42").mkdir()
    source = source_of(base)
    assert settled(source) == [42]
    os.rmdir(base / "42")
    assert source.poll().wanted == {}


def test_a_version_waits_until_it_is_complete_while_an_older_one_stays_wanted(base: Path) -> None:
    (base / "1").mkdir()
    source = source_of(base)
    assert settled(source) == [1]
    (base / "2").mkdir()
    (base / "2" / "unfinished").touch()
    for _ in range(3):
        found = source.poll()
        assert (list(found.wanted), found.waiting) == ([1], {2: "unfinished"})
    (base / "2" / "unfinished").unlink()
    assert list(source.poll().wanted) == [1], "its files have changed since the last look"
    assert list(source.poll().wanted) == [2]


def test_a_version_waits_while_its_files_grow(base: Path) -> None:
    (base / "1" / "variables").mkdir(parents=True)
    data = base / "1" / "variables" / "data"
    source = source_of(base)
    for size in range(1, 4):
        data.write_bytes(b"x" * size)
        found = source.poll()
        assert (found.wanted, found.waiting) == ({}, {1: "its files may still be growing"})
    assert list(source.poll().wanted) == [1]


def test_a_version_that_was_complete_stays_so_until_it_is_gone(base: Path) -> None:
    (base / "1").mkdir()
    source = source_of(base)
    assert settled(source) == [1]
    (base / "1" / "unfinished").touch()
    assert list(source.poll().wanted) == [1]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("00000123", 123),
        ("-5", -5),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("tmp-1", None),
        (".5", None),
        ("2.denied", None),
        ("v3", None),
        ("", None),
        ("٣", None),
        ("9" * 5000, None),
    ],
)
def test_a_name_is_a_version_when_it_is_a_64_bit_number(name: str, number: int | None) -> None:
    assert version_number(name) == number
