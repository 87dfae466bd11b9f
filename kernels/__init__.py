"""The numeric kernels of fastbp: numba-compiled functions over flat arrays.

Kernels trust their callers: every argument has been checked by `fastbp` before it gets here.
They read and write slices of arrays that somebody else owns, allocate nothing while training,
and hold no Python objects. `layout` says where everything lies. A step of training, in `epoch`, is
`batch` and `forward`, BP1 of `losses`, and BP2 to BP4 with the update, in `descent`, of `backward`
and `updates`.
"""
