"""Data expansion: images shifted, rotated, scaled and elastically distorted, drawn anew each epoch.

Every pixel (r, c) of a new image is read from its old place

    (r', c') = centre + S R(angle) ((r, c) - centre) - shift + (d_r, d_c)[r, c]

by bilinear interpolation, with 0 outside the image. d_r and d_c are fields of uniform noise in
(-1, 1), smoothed by a Gaussian and scaled by alpha (Simard, Steinkraus and Platt 2003, section 2).
Smoothing an image by rows and columns is two products with a banded matrix, G_r D G_c, for which
there are fast kernels.

All draws are hashes of (seed, epoch, row of X, number of the draw), so that any thread can make
any image. Reads X (n, height * width); overwrites its rows of `out`, and its own scratch.
"""

from typing import NamedTuple

import numpy as np

from .dropout import mix
from .jit import inlined, kernel
from .matmul import matmul, ROOM
from .matrix import matrix
from .simd import pointer

AFFINE_DRAWS = 8  # draws set aside for the affine map; the noise takes those that follow


class Distortion(NamedTuple):
    """How far images may be distorted, each way."""

    height: int
    width: int
    shift: float  # pixels
    whole_pixels: int  # shift by whole numbers of pixels only
    rotation: float  # radians
    scale: float  # 0.1: by a factor of 0.9 to 1.1
    elastic: float  # alpha; 0 for none


def smoothing_matrix(size: int, sigma: float, dtype) -> np.ndarray:
    """G (size, size): G[i, j] is the Gaussian weight of pixel j in the average around i."""
    weights = np.exp(-0.5 * (np.arange(-size, size + 1) / sigma) ** 2)
    offsets = np.subtract.outer(np.arange(size), np.arange(size))
    return (weights[offsets + size] / weights.sum()).astype(dtype)


def scratch_size(height: int, width: int) -> int:
    """Numbers that a thread needs: noise, half-smoothed noise, fields, padded image, panel."""
    return 6 * height * width + (height + 3) * (width + 3) + ROOM


@inlined
def uniform(key, i):
    """Draw number i of a key: in (-1, 1), from the upper 53 bits of a hash."""
    return np.float64(mix(key + np.uint64(i)) >> np.uint64(11)) * 2.0**-52 - 1.0


@kernel
def draw_fields(distortion, key, smooth_rows, smooth_columns, noise, half, fields, panel):
    """d_r, then d_c, into `fields` (2 height, width); all but the two matrices are pointers."""
    height, width = distortion.height, distortion.width
    for i in range(2 * height * width):
        noise[i] = uniform(key, AFFINE_DRAWS + i)
    G_r = matrix(smooth_rows, 0, height, height, height)
    G_c = matrix(smooth_columns, 0, width, width, width)
    smoothed = matrix(half, 0, 2 * height, width, width)
    matmul(1.0, matrix(noise, 0, 2 * height, width, width), G_c, 0.0, smoothed, panel)
    for at in (0, height * width):
        rows = matrix(half, at, height, width, width)
        out = matrix(fields, at, height, width, width)
        matmul(distortion.elastic, G_r, rows, 0.0, out, panel)


@kernel
def resample(image, at, distortion, key, fields, padded, out):
    """One new image, from element `at` of `image` to element `at` of `out`.

    `padded` (height + 3, width + 3) has one row and column of zeros before the image and two after
    it. Places outside are moved to the nearest of those, so that no pixel asks where it is.
    """
    height, width = distortion.height, distortion.width
    row_step = width + 3
    for r in range(height):
        for c in range(width):
            padded[(r + 1) * row_step + c + 1] = image[at + r * width + c]

    angle = distortion.rotation * uniform(key, 0)
    scale_r = 1.0 + distortion.scale * uniform(key, 1)
    scale_c = 1.0 + distortion.scale * uniform(key, 2)
    shift_r, shift_c = distortion.shift * uniform(key, 3), distortion.shift * uniform(key, 4)
    if distortion.whole_pixels:
        # Each of the 2 shift + 1 whole numbers is as likely as the others.
        steps = 2 * np.floor(distortion.shift) + 1
        shift_r = np.floor((uniform(key, 3) + 1) / 2 * steps) - np.floor(distortion.shift)
        shift_c = np.floor((uniform(key, 4) + 1) / 2 * steps) - np.floor(distortion.shift)
    centre_r, centre_c = (height - 1) / 2, (width - 1) / 2
    cos, sin = np.cos(angle), np.sin(angle)

    for r in range(height):
        from_r = centre_r - shift_r + scale_r * cos * (r - centre_r)
        from_c = centre_c - shift_c - scale_c * sin * (r - centre_r)
        for c in range(width):
            here = r * width + c
            y = from_r + scale_r * sin * (c - centre_c)
            x = from_c + scale_c * cos * (c - centre_c)
            if distortion.elastic != 0.0:
                y += fields[here]
                x += fields[height * width + here]
            y = min(max(y, -1.0), height) + 1.0
            x = min(max(x, -1.0), width) + 1.0
            i, j = int(y), int(x)
            v, u = y - i, x - j
            corner = i * row_step + j
            upper = (1 - u) * padded[corner] + u * padded[corner + 1]
            lower = (1 - u) * padded[corner + row_step] + u * padded[corner + row_step + 1]
            out[at + here] = (1 - v) * upper + v * lower


@kernel
def distort(X, distortion, smooth_rows, smooth_columns, seed, epoch, first, last, scratch, out):
    """Rows first .. last-1 of `out` (n, height * width) from those of X.

    `scratch` (scratch_size,) is this thread's own, zeros at first.
    """
    pixels = distortion.height * distortion.width
    noise, half, fields = (
        pointer(scratch, 0),
        pointer(scratch, 2 * pixels),
        pointer(scratch, 4 * pixels),
    )
    padded, panel = pointer(scratch, 6 * pixels), pointer(scratch, scratch.size - ROOM)
    image, target = pointer(X, 0), pointer(out, 0)
    epoch_key = mix(mix(np.uint64(seed)) + np.uint64(epoch))
    for r in range(first, last):
        key = mix(epoch_key + np.uint64(r))
        if distortion.elastic != 0.0:
            draw_fields(distortion, key, smooth_rows, smooth_columns, noise, half, fields, panel)
        resample(image, r * pixels, distortion, key, fields, padded, target)


@kernel
def shift(X, height, width, down, right, out):
    """Every image of X moved by whole pixels into `out`, both (n, height * width); 0 moves in."""
    for n in range(X.shape[0]):
        for r in range(height):
            for c in range(width):
                from_r, from_c = r - down, c - right
                inside = 0 <= from_r < height and 0 <= from_c < width
                out[n, r * width + c] = X[n, from_r * width + from_c] if inside else 0
