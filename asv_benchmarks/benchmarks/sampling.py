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


class ThreadTime:
    """For `asv continuous`, which measures both commits by turns: samples of some 0.2 ms.

    By the clock of the thread. A process may have the luck of its addresses, so there are several.
    """

    number = 1
    warmup_time = 0
    rounds = 5
    repeat = (10, 100, 0.1)
    timer = time.thread_time
