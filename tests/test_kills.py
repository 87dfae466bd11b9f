"""Processes that are killed while they train or write."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
KILLS = int(os.environ.get("FASTBP_TEST_KILLS", "15"))  # 50 takes a minute


@pytest.mark.parametrize(("optimizer", "part"), [("adam", 1), ("lbfgs", 3), ("newton", 3)])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start children quickly")
def test_a_training_killed_again_and_again_ends_with_the_same_bits(tmp_path, optimizer, part):
    kills = KILLS // part
    script = [TESTS / "killed.py", tmp_path, str(kills), "0", optimizer]
    done = subprocess.run(
        [sys.executable, "-W", "error", *script],
        capture_output=True, text=True, timeout=900,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == kills
    assert found["same"] == found["ends"] > 0
    assert found["left"] == ["run.safetensors"]  # what kills left half written is removed
