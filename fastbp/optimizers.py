"""How a gradient moves the parameters: descriptions that the kernels carry out.

In the equations w is a parameter, g its gradient (with the l1 and l2 terms), eta the learning rate
of the step; v and m start at 0, and t counts steps from 1. Optimizers never change: what they
remember between steps belongs to the net that is trained, so one optimizer can serve many nets.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from fastbp.kernels import updates
from fastbp.schedules import as_schedule, Schedule
from fastbp.validation import boolean, choice, message, number, set_checked, shown

__all__ = ["BY_NAME", "SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "as_optimizer"]


@dataclass(frozen=True)
class Optimizer:
    """What all optimizers share: a learning rate, a number or a schedule."""

    code: ClassVar[int]

    learning_rate: float | Schedule

    def __post_init__(self) -> None:
        schedule = as_schedule("learning_rate", self.learning_rate)
        if schedule is not self.learning_rate:  # it was a number: keep it as a float
            set_checked(self, learning_rate=number("learning_rate", self.learning_rate))

    @cached_property  # partial_fit asks at every call
    def schedule(self) -> Schedule:
        """The learning rate as a schedule."""
        return as_schedule("learning_rate", self.learning_rate)

    def rule(self, l1: float, l2: float, max_norm: float, clip_norm: float) -> Any:
        """Return the kernels' description, with the penalties and limits of `fit`; 0 means none."""
        momentum, nesterov, beta2, epsilon, weight_decay = self.coefficients()
        return updates.Rule(
            optimizer=self.code,
            momentum=momentum,
            nesterov=nesterov,
            beta2=beta2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            l1=l1,
            l2=l2,
            max_norm=max_norm,
            clip_norm=clip_norm,
        )

    def coefficients(self) -> tuple[float, int, float, float, float]:
        """Return momentum (or what the kernels keep there), nesterov, beta2, epsilon, decay."""
        raise NotImplementedError

    @property
    def slots(self) -> int:
        """How many vectors as long as the parameters are remembered between steps."""
        return int(updates.state_slots(self.code, self.coefficients()[0]))


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, with classical or Nesterov momentum.

    v <- mu v - eta g;  w <- w + v

    with nesterov=True: w <- w + mu v - eta g, with the new v. The book, chapter 3, eq. 107 and 108;
    Sutskever and others 2013, section 2. As in scikit-learn, v contains eta; PyTorch multiplies by
    eta afterwards, which differs while a schedule changes it.

    Parameters
    ----------
    learning_rate : float or Schedule
        eta.
    momentum : float
        mu, in [0, 1).
    nesterov : bool
        Needs momentum above 0.

    Examples
    --------
    >>> from fastbp import SGD
    >>> SGD(0.5, momentum=0.9)
    SGD(learning_rate=0.5, momentum=0.9, nesterov=False)
    """

    code = updates.OPTIMIZERS["sgd"]

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        momentum = number("momentum", self.momentum, 0, 1, below=True)
        nesterov = boolean("nesterov", self.nesterov)
        if nesterov and not momentum:
            raise ValueError(message("nesterov", "True with momentum 0", "momentum above 0"))
        set_checked(self, momentum=momentum, nesterov=nesterov)

    def coefficients(self) -> tuple[float, int, float, float, float]:
        return self.momentum, int(self.nesterov), 0.0, 0.0, 0.0


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moments.

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2
    w <- w - eta m_hat / (sqrt(v_hat) + epsilon),
    m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t)

    Kingma and Ba 2015, algorithm 1. `l2` is part of g; AdamW keeps it apart.

    Parameters
    ----------
    learning_rate : float or Schedule
        eta.
    beta1, beta2 : float
        In [0, 1).
    epsilon : float
        Above 0.

    Examples
    --------
    >>> from fastbp import Adam, Cosine
    >>> Adam(Cosine(0.002, epochs=20)).beta1
    0.9
    """

    code = updates.OPTIMIZERS["adam"]

    learning_rate: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        set_checked(
            self,
            beta1=number("beta1", self.beta1, 0, 1, below=True),
            beta2=number("beta2", self.beta2, 0, 1, below=True),
            epsilon=number("epsilon", self.epsilon, above=True),
        )

    def coefficients(self) -> tuple[float, int, float, float, float]:
        return self.beta1, 0, self.beta2, self.epsilon, 0.0


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay.

    w <- (1 - eta lambda) w, for weights and not biases; then Adam's step.

    Loshchilov and Hutter 2019, algorithm 2, with PyTorch's eta lambda where the paper keeps lambda
    apart from the learning rate.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon
        As in Adam.
    weight_decay : float
        lambda >= 0.

    Examples
    --------
    >>> from fastbp import AdamW
    >>> AdamW(weight_decay=0.05).weight_decay
    0.05
    """

    code = updates.OPTIMIZERS["adamw"]

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        set_checked(self, weight_decay=number("weight_decay", self.weight_decay))

    def coefficients(self) -> tuple[float, int, float, float, float]:
        return self.beta1, 0, self.beta2, self.epsilon, self.weight_decay


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Gradients divided by a running root mean square.

    v <- rho v + (1 - rho) g^2;  w <- w - eta g / (sqrt(v) + epsilon)

    Tieleman and Hinton 2012, lecture 6e; epsilon outside the root, as in PyTorch.

    Parameters
    ----------
    learning_rate : float or Schedule
        eta.
    rho : float
        In [0, 1).
    epsilon : float
        Above 0.

    Examples
    --------
    >>> from fastbp import RMSprop
    >>> RMSprop().learning_rate
    0.01
    """

    code = updates.OPTIMIZERS["rmsprop"]

    learning_rate: float | Schedule = 1e-2
    rho: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        set_checked(
            self,
            rho=number("rho", self.rho, 0, 1, below=True),
            epsilon=number("epsilon", self.epsilon, above=True),
        )

    def coefficients(self) -> tuple[float, int, float, float, float]:
        return self.rho, 0, 0.0, self.epsilon, 0.0


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Gradients divided by the root of the sum of all squares so far.

    v <- v + g^2;  w <- w - eta g / (sqrt(v) + epsilon)

    Duchi, Hazan and Singer 2011, section 1.

    Parameters
    ----------
    learning_rate : float or Schedule
        eta.
    epsilon : float
        Above 0.

    Examples
    --------
    >>> from fastbp import Adagrad
    >>> Adagrad(0.05)
    Adagrad(learning_rate=0.05, epsilon=1e-10)
    """

    code = updates.OPTIMIZERS["adagrad"]

    learning_rate: float | Schedule = 1e-2
    epsilon: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        set_checked(self, epsilon=number("epsilon", self.epsilon, above=True))

    def coefficients(self) -> tuple[float, int, float, float, float]:
        return 0.0, 0, 0.0, self.epsilon, 0.0


BY_NAME: dict[str, Optimizer] = {
    "sgd": SGD(),
    "adam": Adam(),
    "adamw": AdamW(),
    "rmsprop": RMSprop(),
    "adagrad": Adagrad(),
}


def as_optimizer(value: object) -> Optimizer:
    """Return an optimizer from an optimizer or a name, which means its defaults."""
    if isinstance(value, Optimizer):
        return value
    if isinstance(value, str):
        if choice("optimizer", value, (*BY_NAME, "lbfgs")) == "lbfgs":
            advice = "LBFGS takes all rows at once: use fit"
            raise ValueError(message("optimizer", "'lbfgs'", "one that makes steps", advice))
        return BY_NAME[value]
    if isinstance(value, type) and issubclass(value, Optimizer):
        got, expected = f"the class {value.__name__}", f"an instance, such as {value.__name__}()"
        raise TypeError(message("optimizer", got, expected))
    expected = f"one of {', '.join(BY_NAME)}, or an instance such as Adam(0.001)"
    raise TypeError(message("optimizer", shown(value), expected))
