import pytest

from slipway.lifecycle.labels import effective_labels


@pytest.mark.parametrize(
    ("wanted", "before", "available", "allowed", "effective"),
    [
        ({"stable": 1}, {}, {1}, False, {"stable": 1}),
        ({"stable": 2}, {}, {1}, False, {}),
        ({"stable": 2}, {}, {1}, True, {"stable": 2}),
        ({"stable": 2}, {"stable": 1}, {1}, False, {"stable": 1}),
        ({"stable": 2}, {"stable": 1}, {1}, True, {"stable": 1}),
        ({"stable": 2}, {"stable": 1}, {1, 2}, False, {"stable": 2}),
        ({"stable": 1}, {"stable": 1}, {2}, False, {"stable": 1}),
        ({}, {"stable": 1}, {1}, False, {}),
    ],
)
def test_a_label_means_what_is_available(
    wanted: dict[str, int],
    before: dict[str, int],
    available: set[int],
    allowed: bool,
    effective: dict[str, int],
) -> None:
    assert effective_labels(wanted, before, available, allow_unavailable=allowed) == effective
