"""Who trains a net: one thread at a time, while others leave it alone."""

import threading
from types import TracebackType

__all__ = ["Guard"]


class Guard:
    """A lock that is never waited for. ``with guard:`` is for training.

    Attributes
    ----------
    owner : int or None
        The identifier of the thread that trains the net.
    trainings : int
        How many have begun: who reads the net for long looks again in the end.
    """

    __slots__ = ("_lock", "owner", "trainings")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.owner: int | None = None
        self.trainings = 0

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "this net is being trained already, by another thread or by the fit whose callback "
                "this is; wait for it, or train a copy.deepcopy of the net"
            )
        self.owner = threading.get_ident()
        self.trainings += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.owner = None
        self._lock.release()

    def check(self, trainings: int | None = None) -> int:
        """Raise if another thread trains the net; its own callbacks may use it.

        Returns how many trainings have begun. Given that number again, it raises also if another
        has begun since.
        """
        is_others = self.owner is not None and self.owner != threading.get_ident()
        if is_others or (trainings is not None and trainings != self.trainings):
            raise RuntimeError(
                "another thread is training this net, so its parameters change while they are "
                "read; wait for it, or use a copy.deepcopy taken before"
            )
        return self.trainings
