"""``python -m fastbp.sklearn script.py [arguments]``: run a program with fastbp's MLPs."""

from fastbp.scripts import run_script
from fastbp.sklearn.patching import patch_sklearn

if __name__ == "__main__":
    run_script("fastbp.sklearn", patch_sklearn)
