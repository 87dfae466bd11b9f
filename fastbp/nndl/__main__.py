"""``python -m fastbp.nndl script.py [arguments]``: run a script of the book without any edit.

What it imports as network, network2 and mnist_loader are fastbp's.
"""

import sys

from fastbp.nndl import mnist_loader, network, network2
from fastbp.scripts import run_script


def take_the_names() -> None:
    """Have the book's names mean these modules."""
    for module in (mnist_loader, network, network2):
        sys.modules[module.__name__.rpartition(".")[2]] = module


if __name__ == "__main__":
    run_script("fastbp.nndl", take_the_names)
