"""``python -m fastbp.sklearn script.py [arguments]``: run a program with fastbp's MLPs."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from fastbp.sklearn.patching import patch_sklearn


def main(arguments: list[str]) -> None:
    """Run the script as Python would, after patch_sklearn."""
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.exit("usage: python -m fastbp.sklearn script.py [arguments]")
    script = Path(arguments[0])
    if not script.is_file():
        sys.exit(f"python -m fastbp.sklearn: there is no file {str(script)!r}")
    patch_sklearn()
    sys.argv = arguments
    sys.path[0] = str(script.resolve().parent)
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
