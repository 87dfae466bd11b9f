"""Net: gradients, errors and curvature of the cost; MLP adds training and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp.data import dataset, parameter_vector, refuse_not_finite
from fastbp.forward_net import ForwardNet
from fastbp.gradient_check import check_gradient, GradientCheck
from fastbp.kernels import backward, hessian
from fastbp.validation import Array, number, read_only
from fastbp.workspace import RWorkspace, Workspace

__all__ = ["Net"]


class Net(ForwardNet):
    """The part of MLP that goes backward, and leaves the parameters as they are."""

    def value_and_grad(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> tuple[float, Array]:
        """Return the cost and its gradient with respect to `parameters`: BP1 to BP4.

        C = sum_i s_i C_i / sum_i s_i + l2/2 sum w^2 + l1 sum |w|, over weights, not biases.

        Parameters
        ----------
        X, y : array-like
            As in `evaluate`.
        sample_weight : array-like, (batch,), optional
            s_i >= 0; all 1 if None.
        l1, l2 : float
            At least 0.

        Returns
        -------
        cost : float
        gradient : ndarray of the net's dtype, (n_parameters,)

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As `evaluate`, and for weights and penalties that cannot be used.

        Examples
        --------
        >>> from fastbp import MLP
        >>> net = MLP([1, 1], output="linear", loss="quadratic")
        >>> net.parameters = [2, 0]
        >>> net.value_and_grad([[3.0]], [5.0])  # C = (3w + b - 5)^2 / 2
        (0.5, array([3., 1.], dtype=float32))
        """
        l1, l2 = number("l1", l1), number("l2", l2)
        data = dataset(self._architecture, X, y, sample_weight)
        gradient = np.empty(self.n_parameters, self.dtype)
        _, cost = self._run(
            self._workspace, backward.value_and_grad, data.X, data, l1, l2, gradient
        )
        return float(cost), gradient

    def input_gradient(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Array:
        """Return dC/dX, where C is the mean cost over the rows: BP2 once more, below layer 1.

        Parameters
        ----------
        X, y : array-like
            As in `evaluate`.

        Returns
        -------
        ndarray of the net's dtype, (batch, n_0)

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As `evaluate`.

        Examples
        --------
        >>> from fastbp import MLP
        >>> net = MLP([1, 1], output="linear", loss="quadratic")
        >>> net.parameters = [2, 0]
        >>> net.input_gradient([[3.0]], [5.0])  # C = (2x - 5)^2 / 2
        array([[2.]], dtype=float32)
        """
        data = dataset(self._architecture, X, y)
        gradient = np.empty(data.X.shape, self.dtype)
        self._run(self._workspace, backward.input_gradient, data.X, data, gradient)
        return gradient

    def layer_errors(self, X: npt.ArrayLike, y: npt.ArrayLike) -> list[Array]:
        """Return [delta^1, ..., delta^L], delta^l = dC_i/dz^l of each row's own cost: BP1 and BP2.

        Parameters
        ----------
        X, y : array-like
            As in `evaluate`.

        Returns
        -------
        list of ndarray of the net's dtype
            Entry l-1 is delta^l, (batch, n_l).

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As `evaluate`.

        Examples
        --------
        >>> from fastbp import MLP
        >>> net = MLP([1, 1, 1], activation="linear", output="linear", loss="quadratic")
        >>> net.parameters = [2, 0, 3, 0]
        >>> net.layer_errors([[1.0]], [5.0])  # the output is 6
        [array([[3.]], dtype=float32), array([[1.]], dtype=float32)]
        """
        data = dataset(self._architecture, X, y)
        batch = len(data.X)
        errors = np.empty(batch * sum(self.sizes[1:]), self.dtype)
        self._run(self._workspace, backward.layer_errors, data.X, data, errors)
        ends = np.cumsum([batch * n for n in self.sizes[1:-1]])
        return [
            part.reshape(batch, n)
            for part, n in zip(np.split(errors, ends), self.sizes[1:], strict=True)
        ]

    def hessian_vector_product(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        v: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        l2: float = 0.0,
    ) -> Array:
        """Return H v, exact, where H is the Hessian of `value_and_grad`'s cost.

        H_ij = d^2 C / dw_i dw_j, never formed: the R-operator costs about two gradients
        (Pearlmutter 1994; the book, chapter 3, "Variations on stochastic gradient descent").
        Where a derivative jumps (relu, absolute, ...) H takes no notice of the jump.

        Parameters
        ----------
        X, y : array-like
            As in `evaluate`.
        v : array-like, (n_parameters,)
            A direction in the space of `parameters`.
        sample_weight : array-like, (batch,), optional
        l2 : float
            As in `value_and_grad`.

        Returns
        -------
        ndarray of the net's dtype, (n_parameters,)

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As `evaluate`, and where v has another shape or is not finite.

        Examples
        --------
        >>> from fastbp import MLP
        >>> net = MLP([1, 1], output="linear", loss="quadratic", seed=0)
        >>> net.hessian_vector_product([[3.0]], [1.0], [1.0, 0.0])  # C = (3w + b - 1)^2 / 2
        array([9., 3.], dtype=float32)
        """
        l2 = number("l2", l2)
        data = dataset(self._architecture, X, y, sample_weight)
        direction = read_only(parameter_vector(self._architecture, "v", v))
        product = np.empty(self.n_parameters, self.dtype)
        workspace, kernel = RWorkspace(self._architecture), hessian.hessian_vector_product
        self._run(workspace, kernel, data.X, direction, data, l2, product)
        return product

    def check_gradient(self, X: npt.ArrayLike, y: npt.ArrayLike) -> GradientCheck:
        """Compare the gradient of the cost with central differences, in float64.

        It computes two costs for every parameter: for small nets and a few rows. Where an
        activation has a kink (relu, leaky_relu and selu, at 0), a z very near to it makes the
        difference wrong, not the gradient.

        Parameters
        ----------
        X, y : array-like
            As in `evaluate`.

        Returns
        -------
        GradientCheck
            The worst relative error and where it is; see there.

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As `evaluate`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastbp import MLP
        >>> X = np.random.default_rng(0).standard_normal((4, 3))
        >>> MLP([3, 5, 2], activation="tanh", seed=0).check_gradient(X, [0, 1, 1, 0]).error < 1e-6
        True
        """
        self._guard.check()
        return check_gradient(self._architecture, self._parameters, X, y)

    def _run(
        self, workspace: Workspace, kernel: Callable[..., Any], X: Array, *arguments: Any
    ) -> Any:
        """Call a kernel that reads the parameters and the rows of X; return what it returns.

        Raises if a row is not finite, or if somebody trained the net meanwhile.
        """
        reading = self._guard.check()
        answer = workspace.run(kernel, self._frozen, *arguments)
        bad_row = answer[0] if isinstance(answer, tuple) else answer  # -1 where there is none
        if bad_row >= 0:
            refuse_not_finite(X)
        self._guard.check(reading)
        return answer
