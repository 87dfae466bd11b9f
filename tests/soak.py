"""Random fits, saves, loads, predictions, errors and interrupts in one process, for minutes.

    python tests/soak.py --minutes 10

Every result is compared with naive.py. At the end it says how fast the process grew after the first
minute, in MB a minute, and exits with 1 if that was more than --limit. Linux only: it reads /proc.
"""

import argparse
import gc
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from soak_tasks import TASKS

PAGE = os.sysconf("SC_PAGE_SIZE") / 2**20
WARM_UP = 60.0  # seconds; by then every kernel is loaded and every pool has its size
SECONDS_PER_SAMPLE = 1.0


def resident_memory():
    """MB of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def slope(samples):
    """Least-squares slope of (seconds, MB), in MB a minute."""
    seconds, memory = np.transpose(samples)
    seconds = seconds - seconds.mean()
    return float(60 * (seconds @ memory) / (seconds @ seconds))


def soak(seconds, seed, warm_up):
    """Do each task once, which loads the kernels, and then any of them for so long.

    Returns how often it did each, and samples of (seconds, MB), from warm_up on.
    """
    rng = np.random.default_rng(seed)
    counts, samples = Counter(), []
    with tempfile.TemporaryDirectory() as folder:

        def do(task):
            # A task has a seed of its own, so that a failure can be repeated by itself.
            task_seed = int(rng.integers(2**32))
            try:
                task(np.random.default_rng(task_seed), Path(folder))
            except BaseException as error:
                error.add_note(f"in the task {task.__name__} with the seed {task_seed}")
                raise
            counts[task.__name__] += 1

        for task in TASKS:
            do(task)
        start = time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            do(TASKS[rng.integers(len(TASKS))])
            if now >= warm_up and (not samples or now - samples[-1][0] >= SECONDS_PER_SAMPLE):
                gc.collect()
                samples.append((now, resident_memory()))
    return counts, samples


def main(arguments=None):
    """Print a report; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=1.0, help="MB a minute, after the first")
    options = parser.parse_args(arguments)
    if options.minutes <= 1:
        parser.error("--minutes: expected more than 1, since the first does not count")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has none
    counts, samples = soak(60 * options.minutes, options.seed, WARM_UP)
    print(f"{counts.total()} tasks, all results as the reference's: {dict(counts)}")
    minutes = {int(seconds // 60): mb for seconds, mb in samples}  # the last sample of each
    print("MB after each minute:", ", ".join(f"{mb:.1f}" for mb in minutes.values()))
    growth = slope(samples)
    print(f"slope {growth:+.3f} MB a minute, at most {options.limit:g} allowed")
    return int(growth > options.limit)


if __name__ == "__main__":
    sys.exit(main())
