"""``python -m PACKAGE script.py [arguments]``: run a program on fastbp without an edit."""

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["run_script"]


def run_script(package: str, prepare: Callable[[], object]) -> None:
    """Run the script that the command line names as Python would, after `prepare`.

    But `sys.argv[0]` is its whole path, as `__file__` is, whatever the command line has.
    Exit status 2 if it names none.
    """
    arguments, usage = sys.argv[1:], f"python -m {package} script.py [arguments]"
    if arguments and arguments[0] in ("-h", "--help"):
        print(f"usage: {usage}")
        return
    if not arguments or not Path(arguments[0]).is_file():
        got = f"there is no file {arguments[0]!r}" if arguments else "no script given"
        print(f"python -m {package}: {got}; usage: {usage}", file=sys.stderr)
        sys.exit(2)
    prepare()
    sys.argv = arguments
    if not sys.flags.safe_path:  # python -P
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
    # In full, as Python has __file__, wherever the script goes with chdir.
    runpy.run_path(os.path.abspath(arguments[0]), run_name="__main__")
