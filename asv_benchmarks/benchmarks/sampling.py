"""What classes of benchmarks inherit: how many samples asv takes of them, and when."""

import time


class OneCall:
    """A sample is one call, before which setup puts back what the last one has changed.

    A slow phase of the machine may last half a minute, so few samples are taken at a time, in four
    rounds over the whole suite, minutes apart. A class adds `repeat`, the fewest and the most
    samples of a round, and the seconds after which there are no more.
    """

    number = 1
    warmup_time = 0
    rounds = 4


class SteadyClock:
    """The thread's clock in units of a plain Python loop, which is run at every look at it.

    A neighbour on the same core costs 1.5 times the time for minutes, and which of two commits it
    meets is chance. It slows the loop as much: within a minute in which steps of [4, 32, 32, 1]
    took 3.9 to 6.6 ms, they took 19 to 21 loops. (Not so multiply-adds alone, which lost 1/8.)
    """

    TURNS, SECONDS = 4000, 2e-4  # of the loop, and what it takes on a processor of 2025

    def __init__(self):
        self.seconds = self.end = 0.0
        self.before = self.loop()

    def loop(self):
        """Return how long the loop takes now."""
        start, total = time.thread_time(), 0
        for i in range(self.TURNS):
            total += i & 7
        self.end = time.thread_time()
        # After a virtual machine was interrupted its threads' clocks stand still for a moment.
        return max(self.end - start, self.SECONDS / 10)

    def __call__(self):
        """Return seconds, as they would be were the processor always as fast."""
        elapsed, before = time.thread_time() - self.end, self.before
        self.before = self.loop()
        self.seconds += elapsed * self.SECONDS * 2 / (before + self.before)
        return self.seconds


class ThreadTime:
    """For `asv continuous`, which measures both commits by turns: samples of some 0.2 to 2 ms.

    A process may have the luck of its addresses, so there are several.
    """

    number = 1
    warmup_time = 0
    rounds = 6
    repeat = (10, 50, 0.1)
    timer = SteadyClock()
