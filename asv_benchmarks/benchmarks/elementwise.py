"""Work on single numbers: activations with their bias, and optimizers, in the first-level cache.

An element counts as one operation, so that the inverse of a rate in 10^9 a second is nanoseconds.
"""

ACTIVATIONS = (
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "linear",
)  # fmt: skip
OPTIMIZERS = {
    "sgd": ("sgd", 0.0),
    "momentum": ("sgd", 0.9),
    "adam": ("adam", 0.9),
    "rmsprop": ("rmsprop", 0.99),
    "adagrad": ("adagrad", 0.0),
}
DTYPES = ("float32", "float64")


class Activations:
    """z += b, a = sigma(z) of 32 rows of 64 neurons."""

    params = (ACTIVATIONS, DTYPES)
    param_names = ("activation", "dtype")
    timeout = 600
    rows, neurons = 32, 64

    def setup_cache(self):
        """Measure every activation."""
        from .kernel_loops import Part
        from .measure import measured, Work

        works = {}
        for activation in ACTIVATIONS:
            for dtype in DTYPES:
                part = Part(1, self.neurons, self.rows, activation, dtype)
                works[activation, dtype] = Work(part.activate, self.rows * self.neurons, dtype)
        return measured(works)

    def track_ns_per_element(self, rates, activation, dtype):
        return 1 / rates[activation, dtype].gflops

    track_ns_per_element.unit = "ns"


class Updates:
    """An optimizer on a block of parameters."""

    params = (tuple(OPTIMIZERS), DTYPES)
    param_names = ("optimizer", "dtype")
    timeout = 600

    def setup_cache(self):
        """Measure every optimizer."""
        from .kernel_loops import Update
        from .measure import measured, Work

        works = {}
        for name, (optimizer, momentum) in OPTIMIZERS.items():
            for dtype in DTYPES:
                block = Update(optimizer, momentum, dtype)
                works[name, dtype] = Work(block.run, block.size, dtype)
        return measured(works)

    def track_ns_per_parameter(self, rates, optimizer, dtype):
        return 1 / rates[optimizer, dtype].gflops

    track_ns_per_parameter.unit = "ns"
