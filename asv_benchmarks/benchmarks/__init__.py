"""fastbp's benchmarks for airspeed velocity; the README beside this folder says how to run them.

Every library is held to one thread: by these variables, and, since asv may have imported NumPy
before it comes here, by the peers themselves. What fastbp makes of two threads is asked for by
argument, in scaling.py.
"""

import os

os.environ |= {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
