import pytest

from slipway.lifecycle.version_policy import All, Latest, Specific, VersionPolicy


@pytest.mark.parametrize(
    ("policy", "existing", "wanted"),
    [
        (Latest(), {17, 42}, {42}),
        (Latest(3), {42, 33, 30, 21, 17}, {42, 33, 30}),
        (Latest(5), {1}, {1}),
        (Latest(), set(), set()),
        (All(), {17, 42}, {17, 42}),
        (Specific(frozenset({17, 30})), {42, 33, 30, 21, 17}, {17, 30}),
        (Specific(frozenset({17, 99})), {17}, {17}),
        (Specific(frozenset()), {17}, set()),
    ],
)
def test_a_policy_wants_some_of_the_versions_that_exist(
    policy: VersionPolicy, existing: set[int], wanted: set[int]
) -> None:
    assert policy.select(existing) == wanted


def test_wanting_no_version_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="count is 0"):
        Latest(0)
