"""Which version each label of a model means to requests."""

from collections.abc import Collection, Mapping


def held_versions(
    wanted: Mapping[str, int], effective: Mapping[str, int], available: Collection[int]
) -> frozenset[int]:
    """Return the versions that labels mean to requests while what they are wanted for is not
    `available`.
    """
    return frozenset(
        effective[label]
        for label, version in wanted.items()
        if label in effective and version not in available
    )


def effective_labels(
    wanted: Mapping[str, int],
    before: Mapping[str, int],
    available: Collection[int],
    *,
    allow_unavailable: bool,
) -> dict[str, int]:
    """Return the labels as requests see them from now on.

    A label moves when the version that it is wanted for is `available`; until then it stays where
    it was `before`, and a new one is not there yet. Where unavailable versions are allowed a new
    label is there at once, and requests by it find nothing. A label stays when its version is
    unloaded.
    """
    labels: dict[str, int] = {}
    for label, version in wanted.items():
        if version in available:
            labels[label] = version
        elif label in before:
            labels[label] = before[label]
        elif allow_unavailable:
            labels[label] = version
    return labels
