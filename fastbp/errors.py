"""The errors of fastbp that are not Python's own ValueError and TypeError."""

from fastbp.history import History

__all__ = ["DivergenceError"]


class DivergenceError(ArithmeticError):
    """The loss, or whatever `what` names, stopped being finite.

    The net, its optimizer's state and its random state are those of the end of the last epoch whose
    loss was finite, so training can go on from there with a smaller learning rate.

    Attributes
    ----------
    what : str
        What is not finite, as the message says it.
    epoch : int
        The epoch that failed, counted from 1.
    step : int
        The optimizer step within that epoch, counted from 1.
    learning_rate : float or None
        The rate of that step; None with LBFGS and NewtonCG, which have none.
    history : History
        The epochs before it.
    """

    def __init__(
        self, what: str, epoch: int, step: int, learning_rate: float | None, history: History
    ) -> None:
        where, advice = f"epoch {epoch}", "Try "
        if learning_rate is not None:
            where += f", step {step}, at learning rate {learning_rate:g}"
            advice += f"a smaller learning rate ({learning_rate / 10:g}), clip_norm=1.0, or "
        super().__init__(
            f"{what} stopped being finite in {where}; the parameters of the last finite epoch were "
            f"kept. {advice}inputs and targets scaled to mean 0 and variance 1"
        )
        self.what = what
        self.epoch = epoch
        self.step = step
        self.learning_rate = learning_rate
        self.history = history

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        """Make it picklable, as joblib's workers need: BaseException would pass the message."""
        arguments = (self.what, self.epoch, self.step, self.learning_rate, self.history)
        return type(self), arguments
