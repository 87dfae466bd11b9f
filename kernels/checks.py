"""Checks of a user's numbers that are passes over whole arrays."""

from .forward import is_finite
from .jit import kernel
from .simd import pointer


@kernel
def first_bad_row(X):
    """Index of the first row of X that holds NaN or infinity, or -1."""
    n, x = X.shape[1], pointer(X, 0)
    for r in range(X.shape[0]):
        if not is_finite(x, r * n, (r + 1) * n):
            return r
    return -1
