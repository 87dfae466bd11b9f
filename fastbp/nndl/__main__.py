"""``python -m fastbp.nndl script.py [arguments]``: run a script of the book without any edit.

What it imports as network, network2 and mnist_loader are fastbp's.
"""

import runpy
import sys
from pathlib import Path

from fastbp.nndl import mnist_loader, network, network2


def main() -> int:
    """Run the script that the command line names; 2 if there is none."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        got = f"no script {sys.argv[1]}" if len(sys.argv) > 1 else "no script given"
        print(f"{got}; usage: python -m fastbp.nndl script.py [arguments]", file=sys.stderr)
        return 2
    script = sys.argv[1]
    for module in (mnist_loader, network, network2):
        sys.modules[module.__name__.rpartition(".")[2]] = module
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path(script).resolve().parent))
    runpy.run_path(script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
