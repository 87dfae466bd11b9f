"""The numeric kernels of fastbp: numba-compiled functions over flat arrays.

Kernels trust their callers: every argument has been checked by `fastbp` before it gets here.
They read and write slices of arrays that somebody else owns, allocate nothing while training,
and hold no Python objects. `layout` says where everything lies; `forward`, `backward` and
`updates` are the three parts of a training step; `epoch` puts them together.
"""
