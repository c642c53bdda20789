"""Print what pyproject.toml lists for work on the project: dependencies, extras, tools."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())
extras = project["project"]["optional-dependencies"]
# [all] names the other extras that belong on one machine.
chosen = {name for entry in extras["all"] for name in entry.split("[")[1].rstrip("]").split(",")}
for requirement in (
    *project["project"]["dependencies"],
    *(
        requirement
        for name in sorted(chosen)
        for requirement in extras[name]
        if not requirement.startswith("slipway[")
    ),
    *project["dependency-groups"]["tools"],
):
    print(requirement)
