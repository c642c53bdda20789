"""What somebody who mistyped a name may have meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is written most like another; None where none is."""
    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question for that name; empty where there is none."""
    near = nearest(name, known)
    return f"did you mean {near}?" if near else ""
