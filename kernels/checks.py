"""Checks of a user's numbers that are passes over whole arrays."""

from .forward import block_is_finite
from .jit import kernel


@kernel
def first_bad_row(X):
    """Index of the first row of X that holds NaN or infinity, or -1."""
    for r in range(X.shape[0]):
        if not block_is_finite(X, r, r + 1):
            return r
    return -1
