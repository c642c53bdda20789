"""What is found wrong with a project, or with the machine it is to run on."""

from dataclasses import dataclass

from slipway.config.project_file import Key, key_name


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what would make it right."""

    key: Key
    """The key of slipway.toml that has to do with it; empty when none has."""
    fact: str
    remedy: str
    is_error: bool = True
    """Whether nothing is to be started. Otherwise it runs, with less than was asked for."""
    place: str = ""
    """File and line of the key."""

    @property
    def what(self) -> str:
        """Where it is, and what."""
        return ": ".join(part for part in (self.place, key_name(self.key), self.fact) if part)

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"
