"""The command line, called as a function."""

import inspect

from click.testing import CliRunner, Result

from fastbp.cli import main

# Before click 8.2, stdout and stderr were one unless it was told.
STREAMS = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}


def run(*arguments) -> Result:
    return CliRunner(**STREAMS).invoke(main, [str(argument) for argument in arguments])
