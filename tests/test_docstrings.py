"""The examples in docstrings and README run, and everything public has one line at least."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import fastbp

PACKAGE = Path(fastbp.__file__).parent
MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
    for folder in (".", "datasets", "nndl", "sklearn")
    for path in (PACKAGE / folder).glob("*.py")
    if not path.stem.startswith("__")
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module):
    results = doctest.testmod(importlib.import_module(f"fastbp.{module}"))
    assert results.failed == 0


def test_examples_of_the_readme_run(tmp_path, monkeypatch):
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert blocks
    monkeypatch.chdir(tmp_path)  # where they save their files
    examples = doctest.DocTestParser().get_doctest("".join(blocks), {}, "README.md", None, 0)
    assert doctest.DocTestRunner().run(examples).failed == 0


@pytest.mark.parametrize("name", fastbp.__all__)
def test_what_is_public_is_documented(name):
    thing = getattr(fastbp, name)
    methods = [
        member
        for attribute, member in inspect.getmembers(thing)
        if not attribute.startswith("_") and (callable(member) or isinstance(member, property))
    ]
    for documented in (thing, *methods):
        assert inspect.getdoc(documented)


def test_mlp_shows_an_example():
    assert ">>>" in fastbp.MLP.__doc__
    assert ">>>" in fastbp.MLP.fit.__doc__
