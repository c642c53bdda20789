"""Reading logs while they are written."""

from pathlib import Path

from slipway.stack.logs import follow, last_lines, telling_line


def test_the_last_lines_are_those_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"line {number}\n" for number in range(20_000)))
    assert last_lines(log, 2) == ["line 19998", "line 19999"]
    assert last_lines(log, 0) == []
    assert last_lines(tmp_path / "none.log", 2) == []


def test_the_reason_is_told_rather_than_what_comes_after_it() -> None:
    lines = ["Starting", "Connection in use: ('127.0.0.1', 5000)", "Shutting down: Master", ""]
    assert telling_line(lines) == "Connection in use: ('127.0.0.1', 5000)"
    assert telling_line(["Starting", "Bye"]) == "Bye"
    assert telling_line([]) == ""


def test_lines_are_followed_through_a_rotation(tmp_path: Path) -> None:
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    log.write_text("old\n")
    news = follow({"a": log, "b": other})
    assert next(news) is None
    with log.open("a") as file:
        file.write("one\ntw")
    assert next(news) == ("a", "one")
    assert next(news) is None
    with log.open("a") as file:
        file.write("o\n")
    assert next(news) == ("a", "two")
    log.rename(tmp_path / "a.log.1")
    log.write_text("three\n")
    other.write_text("first\n")
    assert {next(news), next(news)} == {("a", "three"), ("b", "first")}
