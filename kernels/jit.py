"""The one decorator of all kernels: compiler flags, the disk cache, and a count of compilations.

Numba's own cache key covers the file of the compiled function only: after an edit to a callee in
another file the caller would still run the old code. So all kernels share a folder whose name is
the hash of every kernel source and of the versions of numba and Python: an edit anywhere moves
the whole cache. Nor do numba's files tell whether they are whole, so those in the folder are ours.
"""

import gc
import hashlib
import logging
import os
import pickle
import sys
import tempfile
import threading
import time
import uuid
import warnings
from pathlib import Path

import llvmlite.binding as llvm
import numba
from numba.core import config, event, serialize, types
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from .compiler import is_part, is_tried, KernelCompiler

logger = logging.getLogger("fastbp")

if config.DISABLE_JIT:
    raise ImportError(
        "fastbp is compiled by numba, and NUMBA_DISABLE_JIT forbids that; unset it, or set it to 0"
    )

# `contract` is not among the flags on purpose: whether a * b + c becomes one rounding or two would
# then depend on how LLVM vectorised a loop, and bits on the number of threads. Kernels ask for
# fused multiply-adds by name (simd.fma). NaN and infinity keep their meaning, so divergence shows.
# The last three leave out what kernels do not use: numba's rewriting of array expressions, an entry
# for C callers, and the counting of who uses an array, which none of them makes or keeps. That is a
# tenth of compilation, and a twentieth of one row forward.
FLAGS = {
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
    "no_rewrites": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}


def source_hash() -> str:
    """Hash of every kernel source file, and of what compiles them."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _candidate_folders() -> list[Path]:
    """Where compiled kernels may be kept, best first."""
    folders = []
    if chosen := os.environ.get("FASTBP_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR"):
        folders.append(Path(chosen))
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and no such user
        home = None
    if sys.platform == "win32":
        if local := os.environ.get("LOCALAPPDATA"):
            folders.append(Path(local) / "fastbp" / "cache")
    elif sys.platform == "darwin" and home:
        folders.append(home / "Library" / "Caches" / "fastbp")
    elif shared := os.environ.get("XDG_CACHE_HOME"):
        folders.append(Path(shared) / "fastbp")
    elif home:
        folders.append(home / ".cache" / "fastbp")
    folders.append(Path(__file__).resolve().parent / "__pycache__")
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folders.append(Path(tempfile.gettempdir()) / f"fastbp-{user}")
    return folders


def _is_private(kernels: Path, folder: Path) -> bool:
    """Whether only this user decides what lies in `kernels`: it is executed.

    Nobody else may write there, nor own a folder above it, up to `folder`, and so put another in
    its place: anyone can make such a folder where all programs keep their temporary files.
    """
    if not hasattr(os, "getuid"):
        return True
    user, status = os.getuid(), kernels.stat()
    owners = {above.stat().st_uid for above in (folder, kernels.parent)}
    return status.st_uid == user and not status.st_mode & 0o022 and owners <= {user, 0}


def _find_cache_folder() -> str | None:
    """Return the first folder that can be written to, or None."""
    for folder in _candidate_folders():
        kernels = folder / "kernels" / source_hash()
        try:
            kernels.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not _is_private(kernels, folder):
                continue
            with tempfile.TemporaryFile(dir=kernels):
                return str(kernels)
        except OSError:
            continue
    warnings.warn(
        "fastbp found no folder to keep compiled kernels in, so every process compiles them "
        "again (some ten seconds). Set FASTBP_CACHE_DIR to a folder that you can write to.",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


_CACHE_FOLDER = _find_cache_folder()


def cache_folder() -> str | None:
    """Folder of the compiled kernels, or None where no folder can be written to."""
    return _CACHE_FOLDER


class _CacheFiles:
    """The compiled forms of one kernel: a file for each signature and processor.

    A file begins with the SHA-256 of the rest. One that is damaged counts as missing, and is
    replaced: numba's own cache would run it, or raise. Nor have these an index, in which two
    processes that compile at once could give the same name to different code.
    """

    def __init__(self, folder, name):
        self._folder, self._name = Path(folder), name

    def _path(self, key):
        return self._folder / f"{self._name}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"

    def load(self, key):
        """Return what was saved under a key, or None."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        checksum, data = content[:32], memoryview(content)[32:]
        if hashlib.sha256(data).digest() != checksum:
            logger.warning("A compiled kernel is damaged on disk; compiling it again")
            return None
        # As numba does. The checksum tells of damage, not of malice: pickle may run what it reads,
        # and the machine code in it is run anyway. So only this user writes there: _is_private.
        return pickle.loads(data)

    def save(self, key, compiled):
        """Keep a compiled kernel; where that is impossible, say so and go on without."""
        data = serialize.dumps(compiled)
        unfinished = self._folder / uuid.uuid4().hex
        try:
            try:
                unfinished.write_bytes(hashlib.sha256(data).digest() + data)
                os.replace(unfinished, self._path(key))
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
        except OSError as error:
            logger.warning("A compiled kernel is not kept for the next time: %s", error)


class _WholeKernels(CompileResultCacheImpl):
    """Numba's way to the disk, for what has machine code."""

    def check_cachable(self, compiled):
        if is_part(compiled.signature.args):  # a compiler.Part, which has none
            return False
        return super().check_cachable(compiled)


class _KernelCache(FunctionCache):
    """Numba's cache of one kernel, with files of ours."""

    _impl_class = _WholeKernels

    def __init__(self, function):
        super().__init__(function)
        self._cache_file = _CacheFiles(_CACHE_FOLDER, self._impl.filename_base)

    def load_overload(self, sig, target_context):
        """Load a kernel, and nothing that only compiling needs: numba's compiler loads that itself.

        Numba's own method begins with all of it, SciPy too, and compiles its reference counting:
        50 MB and 0.2 seconds. Machine code asks for no more than the addresses of what it calls.
        """
        if not is_tried():
            return super().load_overload(sig, target_context)
        from numba.core.runtime import _nrt_python

        for name, address in _nrt_python.c_helpers.items():
            llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def kernel(function):
    """Compile `function` on its first call, with the flags of all kernels; keep it on disk."""
    dispatcher = numba.njit(pipeline_class=KernelCompiler, **FLAGS)(function)
    dispatcher.get_call_template = _for_any_constant(dispatcher.get_call_template)
    if _CACHE_FOLDER is not None:
        # The setting is global to numba, so it is changed for this one call only.
        before = config.CACHE_DIR
        config.CACHE_DIR = _CACHE_FOLDER
        try:
            dispatcher._cache = _KernelCache(function)
        finally:
            config.CACHE_DIR = before
    return dispatcher


def _for_any_constant(get_call_template):
    """Numba's answer to a call inside a kernel, which would compile anew for each constant in it.

    A tenth of all compilations was for a 0 or a 1.
    """

    def answer(arguments, keywords):
        return get_call_template(tuple(map(types.unliteral, arguments)), keywords)

    return answer


def inlined(function):
    """Make `function` part of each kernel that calls it, before anything is compiled."""
    return numba.njit(inline="always", **FLAGS)(function)


class _CompilationCounter(event.Listener):
    """Counts the kernels that numba compiles (not those it loads from disk), and the seconds.

    Meanwhile Python does not look for garbage as often as it would, in vain and for a tenth of the
    time, but after each kernel, among what that has made. Of 300,000 objects few are left; at the
    end of the process they would take it a second longer.
    """

    def __init__(self):
        self.count = 0
        self.seconds = 0.0
        self._depth = 0  # compiling a caller compiles its callees within
        self._thread = 0  # which is at it: numba's lock lets in one at a time
        self._start = 0.0
        self._collected = False

    def on_start(self, event):
        if not _is_ours(event):
            return
        if self.count == 0:
            logger.warning(
                "Compiling fastbp's kernels for this machine, once (some ten seconds)%s",
                f"; they are kept in {_CACHE_FOLDER}" if _CACHE_FOLDER else "",
            )
        if self._depth == 0:
            self._start = time.perf_counter()
            self._collected = gc.isenabled()
            gc.disable()
        self._depth += 1
        self._thread = threading.get_ident()
        self.count += 1

    def on_end(self, event):
        if not _is_ours(event):
            return
        self._depth -= 1
        if self._collected:
            gc.collect(generation=0)
        if self._depth == 0:
            self.seconds += time.perf_counter() - self._start
            if self._collected:
                _make_old()
                gc.enable()

    def compiles_here(self):
        return self._depth > 0 and self._thread == threading.get_ident()


def _make_old():
    """Have Python take all objects for old ones, which it seldom goes through.

    Otherwise it would go through all that compiling has made at once: half a second.
    """
    if gc.get_freeze_count() == 0:  # what a user has frozen stays so
        gc.freeze()
        gc.unfreeze()


def _is_ours(event) -> bool:
    return (event.data["dispatcher"].py_func.__module__ or "").startswith(__package__)


_COUNTER = _CompilationCounter()
event.register("numba:compile", _COUNTER)


def compilations() -> int:
    """Kernels compiled so far in this process; 0 while all of them come from the disk cache."""
    return _COUNTER.count


def is_compiling() -> bool:
    """Whether this thread is compiling a kernel."""
    return _COUNTER.compiles_here()


def compile_seconds() -> float:
    """Wall-clock seconds that compiling took so far in this process."""
    return _COUNTER.seconds
