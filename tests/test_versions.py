"""The oldest versions that are tested are the oldest that pyproject.toml admits."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
OLDEST = ROOT / ".ci" / "oldest-requirements.txt"

pytestmark = pytest.mark.skipif(not OLDEST.is_file(), reason="not part of a source distribution")


def test_the_oldest_versions_are_those_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    admitted = [*project["dependencies"], *extras["test"], *extras["mnist"], *extras["plot"],
                *extras["sklearn"]]  # fmt: skip
    floors = {}
    for text in admitted:
        requirement = Requirement(text)
        if requirement.name != "fastbp":
            (bound,) = requirement.specifier
            assert bound.operator == ">="
            floors[requirement.name] = Version(bound.version)
    lines = [line for line in OLDEST.read_text().splitlines() if not line.startswith("#")]
    tested = dict(line.split("==") for line in lines)
    assert {name: Version(tested[name]) for name in floors} == floors
