"""The three matrix products of backpropagation, alone, as a fraction of what the processor can do.

setup_cache measures all of them at once, so that each number is drawn from the same run as its
peak, and imports fastbp, which so is imported once instead of for every number.
"""

from functools import cache, partial

from .sampling import ThreadTime

SHAPES = {
    "1 row, 784 to 30": (784, 30, 1, "float32"),
    "10 rows, 784 to 30": (784, 30, 10, "float32"),
    "10 rows, 30 to 10": (30, 10, 10, "float32"),
    "32 rows, 784 to 100": (784, 100, 32, "float32"),
    "32 rows, 32 to 32": (32, 32, 32, "float32"),
    "128 rows, 512 to 512": (512, 512, 128, "float32"),
    "128 rows, 512 to 512, float64": (512, 512, 128, "float64"),
    "512 rows, 2048 to 2048": (2048, 2048, 512, "float32"),
}


class Peak:
    """What the processor can do, in one thread: the limit of all that follows."""

    params = ("float32", "float64")
    param_names = ("dtype",)

    def track_gflops(self, dtype):
        from .measure import measured, peak_work

        return measured({dtype: peak_work(dtype)})[dtype].peak_gflops

    track_gflops.unit = "GFLOP/s"


class Products:
    """Rates with what goes with a product at write-out: bias and relu, or its derivative."""

    params = (("forward", "delta back", "weight gradient"), tuple(SHAPES))
    param_names = ("product", "shape")
    timeout = 600

    def setup_cache(self):
        """Measure every product of every shape."""
        from .kernel_loops import Part
        from .measure import measured, Work

        works = {}
        for shape, (n_below, n, rows, dtype) in SHAPES.items():
            part = Part(n_below, n, rows, "relu", dtype)
            for product in self.params[0]:
                repeat = partial(part.product, product)
                works[product, shape] = Work(repeat, part.flops, dtype)
        return measured(works)

    def track_gflops(self, rates, product, shape):
        return rates[product, shape].gflops

    track_gflops.unit = "GFLOP/s"

    def track_fraction_of_peak(self, rates, product, shape):
        return rates[product, shape].fraction_of_peak

    track_fraction_of_peak.unit = "of the FMA peak"


@cache
def part_of(shape):
    """Return a part, and how often its products are to be done for a sample of some 0.2 ms."""
    from .kernel_loops import Part

    n_below, n, rows, dtype = SHAPES[shape]
    part = Part(n_below, n, rows, "relu", dtype)
    return part, max(1, round(2e7 / part.flops))


class ProductTimes(ThreadTime):
    """The same as times."""

    params = Products.params
    param_names = Products.param_names

    def setup(self, product, shape):
        self.part, self.count = part_of(shape)
        self.part.product(product, 1)

    def time_product(self, product, shape):
        self.part.product(product, self.count)
