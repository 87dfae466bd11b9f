"""The examples in the docstrings run, and everything public has one line at least."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import fastbp

PACKAGE = Path(fastbp.__file__).parent
MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
    for folder in (".", "nndl")
    for path in (PACKAGE / folder).glob("*.py")
    if not path.stem.startswith("__")
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module):
    results = doctest.testmod(importlib.import_module(f"fastbp.{module}"))
    assert results.failed == 0


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
