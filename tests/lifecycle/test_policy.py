"""Cases I1 to I7 of the contract: which step comes next, and nothing else."""

import pytest

from slipway.lifecycle.policy import Action, KeepAvailable, Load, Unload
from slipway.servables import State, VersionSnapshot

STATES = {
    "new": State.START,
    "loading": State.LOADING,
    "ready": State.AVAILABLE,
    "unloading": State.UNLOADING,
    "ended": State.END,
}


def versions(text: str) -> list[VersionSnapshot]:
    """Read `1 ready unaspired, 2 new, 3 ready unaspired held`: a version is aspired unless it says
    otherwise.
    """
    return [
        VersionSnapshot(int(number), STATES[state], aspired=not rest, held="held" in rest)
        for number, state, *rest in (part.split() for part in text.split(","))
    ]


@pytest.mark.parametrize(
    ("case", "given", "action"),
    [
        ("I1", "1 unloading u, 2 ended u, 3 ready, 4 new, 5 new", Load(5)),
        ("I2", "1 unloading u, 2 ended u, 3 ready u, 4 ready, 5 new", Unload(3)),
        ("I3", "1 ended u, 2 ready u, 3 ended u", Unload(2)),
        ("I4 loading", "1 ready u, 2 loading", None),
        ("I4 error", "1 ready u, 2 ended", None),
        ("I5 loading", "1 ready u, 2 loading, 3 ready", Unload(1)),
        ("I5 error", "1 ready u, 2 ended, 3 ready", Unload(1)),
        ("I6", "2 ready u, 1 ready u, 3 ended, 4 loading", Unload(1)),
        ("I7", "1 ready, 2 ended, 3 loading, 4 unloading u, 5 ended u", None),
    ],
)
def test_next_action(case: str, given: str, action: Action | None) -> None:
    assert KeepAvailable().next_action(versions(given)) == action, case


def test_keeps_last_ready_version_while_its_successor_loads() -> None:
    assert KeepAvailable().next_action(versions("1 ready u, 2 loading")) is None


@pytest.mark.parametrize(
    ("given", "action"),
    [
        ("1 ready u, 2 ready u, 1 loading, 2 loading", None),
        ("1 ready u, 2 ready u, 1 ended, 2 ready", Unload(2)),
        ("1 ready u, 2 ready u, 1 ready, 2 loading", Unload(1)),
        ("1 ready u, 2 ready u, 3 ready u, 2 new", Unload(1)),
    ],
)
def test_a_number_answers_until_it_does_from_its_other_folder(
    given: str, action: Action | None
) -> None:
    assert KeepAvailable().next_action(versions(given)) == action


@pytest.mark.parametrize(
    ("given", "action"),
    [
        ("1 ready u held, 2 ready u, 3 loading", Unload(2)),
        ("1 ready u held, 2 ready, 3 loading", None),
        ("1 ready u, 2 ready, 3 loading", Unload(1)),
        ("1 ready u held", Unload(1)),
    ],
)
def test_what_a_label_points_to_answers_until_the_label_moves(
    given: str, action: Action | None
) -> None:
    assert KeepAvailable().next_action(versions(given)) == action


def test_nothing_known_needs_nothing() -> None:
    assert KeepAvailable().next_action([]) is None
