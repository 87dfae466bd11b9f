"""What MLPClassifier and MLPRegressor share: scikit-learn's behaviour around fastbp's arithmetic.

scikit-learn's own estimators are the base classes, and do all that is not arithmetic: they check
parameters and data, encode labels, predict classes from outputs, and speak for metadata routing
and tags. Overridden is what fills coefs_ and intercepts_, and what computes outputs from them.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import _fit_context, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastbp.interrupts import Interrupts
from fastbp.sklearn.checks import CheckedMLP
from fastbp.sklearn.class_weights import weights_of_classes
from fastbp.sklearn.constraints import refuse_combinations
from fastbp.sklearn.epochs import Epochs
from fastbp.sklearn.lbfgs import minimize, Objective
from fastbp.sklearn.network import (
    check_features,
    check_outputs,
    forward_pass,
    hidden_activations,
    Network,
    NOT_FINITE,
)
from fastbp.sklearn.optimizer import Optimizer, SOLVERS
from fastbp.sklearn.parameters import Parameters
from fastbp.sklearn.stochastic import Training
from fastbp.sklearn.validation_set import split, ValidationSet
from fastbp.sklearn.warn import warn
from fastbp.validation import Array

__all__ = ["FastMLP"]


class FastMLP(CheckedMLP):
    """The methods that stand before those of scikit-learn's estimators."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Any:
        """Fit the model to X and y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Of a sparse matrix, a block of rows at a time is made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        X_val, y_val : array-like, default=None
            A validation set of your own. It is scored after each epoch, into validation_scores_
            and validation_loss_curve_; early stopping watches it, and then holds no rows back.

        Returns
        -------
        self : object
        """
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together.")
        validation = None if X_val is None else (X_val, y_val)
        return self._fit(X, y, sample_weight, incremental=False, validation=validation)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        incremental: bool = False,
        validation: tuple[Any, Any] | None = None,
    ) -> Any:
        """Do what fit and, if `incremental`, partial_fit say."""
        hidden = self.hidden_layer_sizes
        hidden = list(hidden) if hasattr(hidden, "__iter__") else [hidden]
        if np.any(np.array(hidden) <= 0):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        hidden = [operator.index(n) for n in hidden]  # int16 would overflow in a product
        refuse_combinations(self, incremental, validation is not None)
        before = dict(self.__dict__)
        try:
            train = self._ready_to_train(X, y, sample_weight, hidden, incremental, validation)
        except BaseException:  # before the first step: nothing has changed
            for name in self.__dict__.keys() - before.keys():
                delattr(self, name)
            self.__dict__.update(before)
            raise
        train()
        if not np.isfinite(self._bound_parameters().vector).all():
            raise ValueError(NOT_FINITE)
        return self

    def _ready_to_train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        hidden: list[int],
        incremental: bool,
        validation: tuple[Any, Any] | None,
    ) -> Callable[[], None]:
        """Check all that is given, and return what trains."""
        first_pass = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, y = self._validate_input(X, y, incremental, reset=first_pass)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        if y.ndim == 1:
            y = y.reshape(-1, 1)
        self.n_outputs_ = y.shape[1]
        self._random_state = check_random_state(self.random_state)
        if first_pass:
            self._initialize(y, [X.shape[1], *hidden, self.n_outputs_], X.dtype)
        self._check_range("y", y)
        parameters, network = self._parameters_for(X, y)
        if self.solver == "lbfgs":
            objective = Objective(self, network, X, y, self._total_weights(y, sample_weight))
            return partial(minimize, self, objective, parameters)
        training = self._training(parameters, network, X, y, sample_weight, incremental, validation)
        return partial(self._take_steps, training, incremental)

    def _initialize(self, y: Array, layer_units: list[int], dtype: Any) -> None:
        """Draw initial parameters, and begin the records of training."""
        self.n_iter_ = 0
        self.t_ = 0
        self.n_outputs_ = y.shape[1]
        self.n_layers_ = len(layer_units)
        self.out_activation_ = self._output_of_loss()

        parameters = Parameters(layer_units, dtype)
        names = hidden_activations(self.activation, len(layer_units) - 2)
        for coef, intercept, name in zip(
            parameters.coefs,
            parameters.intercepts,
            [*names, names[-1] if names else self.activation],
            strict=True,
        ):
            # Glorot and Bengio 2010, with a narrower range for the logistic function.
            bound = np.sqrt((2.0 if name == "logistic" else 6.0) / sum(coef.shape))
            coef[...] = self._random_state.uniform(-bound, bound, coef.shape)
            intercept[...] = self._random_state.uniform(-bound, bound, intercept.shape)
        self._bind(parameters)
        if self.solver != "lbfgs":
            self._begin_records()

    def _output_of_loss(self) -> str:
        """Return the activation of the outputs that go with the loss and y."""
        if not is_classifier(self):
            return "exp" if self.loss == "poisson" else "identity"
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _begin_records(self) -> None:
        """Empty loss curve and scores."""
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.validation_loss_curve_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_loss_ = np.inf if self.early_stopping else None
        if self.early_stopping:
            kept = self._bound_parameters().copy()
            self._best_coefs, self._best_intercepts = kept.coefs, kept.intercepts

    def _parameters_for(self, X: Any, y: Array) -> tuple[Parameters, Network]:
        """Return the parameters, and their net, which must suit data: coefs_ may be a user's."""
        parameters = self._bound_parameters()
        network = Network.of(self, parameters.sizes, parameters.vector.dtype)
        check_features(network, X.shape[1])
        check_outputs(network, y.shape[1])
        if self.out_activation_ != self._output_of_loss():
            raise ValueError(
                f"loss={self.loss!r} does not go with the outputs that this net was made with, "
                f"{self.out_activation_!r}; fit another one, without warm_start."
            )
        return parameters, network

    def _training(
        self,
        parameters: Parameters,
        network: Network,
        X: Any,
        y: Array,
        sample_weight: Array | None,
        incremental: bool,
        validation: tuple[Any, Any] | None,
    ) -> Training:
        """Hold rows back, and return what takes steps."""
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = Optimizer(self, network)
        self._optimizer.go_on(network)
        best = "best_validation_score_" if self.early_stopping else "best_loss_"
        if getattr(self, best, None) is None:
            self._begin_records()  # a warm start with other settings
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        held_back = None
        score_name = "val_accuracy" if is_classifier(self) else "val_r2"
        if validation is not None:
            X_val, y_val = self._validate_validation_set(*validation)
            held_back = ValidationSet(network, X_val, y_val, None, score_name)
            if self.validation_scores_ is None:
                self.validation_scores_, self.validation_loss_curve_ = [], []
        elif self.early_stopping:
            trained, validated = split(self, X, y, sample_weight)
            X, y, sample_weight = trained
            held_back = ValidationSet(network, *validated, score_name)
        weights = self._total_weights(y, sample_weight)
        interrupts = Interrupts()
        epochs = Epochs(self, network, parameters, X, y, weights, interrupts)
        training = Training(self, network, parameters, epochs, held_back, interrupts)
        training.callbacks.begin(self, training.recorded())
        return training

    def _take_steps(self, training: Training, incremental: bool) -> None:
        with training.interrupts as interrupts:
            try:
                training.run(1 if incremental else self.max_iter, incremental)
            except KeyboardInterrupt:
                warn("Training interrupted by user.")
            with interrupts.at_once():
                training.callbacks.end(self)
            if self.early_stopping:
                training.parameters.fill(self._best_coefs, self._best_intercepts)
                # scikit-learn's coefs_ become its best ones here, and so the best ones change with
                # them if a warm start goes on.
                self._best_coefs, self._best_intercepts = self.coefs_, self.intercepts_

    def _total_weights(self, y: Array, sample_weight: Array | None) -> Array | None:
        """Return the weight of each row, that of its class included."""
        class_weight = getattr(self, "class_weight", None)
        if class_weight is None:
            return sample_weight
        labels = self._label_binarizer.inverse_transform(y.astype(np.float64))
        weights = weights_of_classes(class_weight, self.classes_, labels)
        return weights if sample_weight is None else weights * sample_weight

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> Array:
        """Return the outputs of the net, (n, n_outputs_), which a caller may overwrite."""
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        parameters = self._bound_parameters(keep=False)
        dtype = np.result_type(X.dtype, parameters.vector.dtype)
        if dtype != parameters.vector.dtype:
            # scikit-learn predicts in the wider of both types.
            parameters = Parameters.gathered(self.coefs_, self.intercepts_, np.float64)
        network = Network.of(self, parameters.sizes, parameters.vector.dtype)
        if scipy.sparse.issparse(X):
            X = X.tocsr()
        return forward_pass(network, parameters.workspace(network), parameters, X)

    def _bound_parameters(self, keep: bool = True) -> Parameters:
        """Return the flat parameters behind coefs_ and intercepts_.

        Where the user has put arrays of their own there, those are copied together; `keep` makes
        the copies the estimator's.
        """
        flat: Parameters | None = self.__dict__.get("_flat")
        if flat is not None and flat.shows(self.coefs_, self.intercepts_):
            return flat
        flat = Parameters.gathered(self.coefs_, self.intercepts_)
        if keep:
            self._bind(flat)
        return flat

    def _bind(self, parameters: Parameters) -> None:
        """Make these the estimator's parameters."""
        before = self.__dict__.get("coefs_")
        best_are_current = before is not None and self.__dict__.get("_best_coefs") is before
        self._flat = parameters
        self.coefs_, self.intercepts_ = list(parameters.coefs), list(parameters.intercepts)
        if best_are_current:  # after early stopping, and so they remain
            self._best_coefs, self._best_intercepts = self.coefs_, self.intercepts_

    def to_sklearn(self) -> Any:
        """Return the same model as scikit-learn's own estimator, with copies of all numbers.

        For tools that ask for exactly that class, as skl2onnx does. What scikit-learn has no word
        for, such as other activations, it cannot predict with.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or MLPRegressor
        """
        original = self._original
        names = [name for name in original().get_params() if name in self.get_params()]
        model = original(**{name: getattr(self, name) for name in names})
        fitted = {name for name in vars(self) if name.endswith("_")} - set(self.get_params())
        private = {"_label_binarizer", "_random_state", "_no_improvement_count"}
        private |= {"_best_coefs", "_best_intercepts"}
        memo: dict[int, Any] = {}  # coefs_ may be the best ones, and remain so
        for name in fitted | private & set(vars(self)):
            setattr(model, name, copy.deepcopy(getattr(self, name), memo))
        return model

    @property
    def parameters(self) -> Array:
        """The flat vector W^1, b^1, W^2, ...: what fastbp's callbacks read and set of a net."""
        return self._bound_parameters().vector

    @parameters.setter
    def parameters(self, vector: Array) -> None:
        self._bound_parameters().vector[:] = vector

    def _check_solver(self) -> bool:
        """Whether there is a partial_fit: scikit-learn knows of two solvers that take steps."""
        return self.solver in SOLVERS or bool(super()._check_solver())

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the flat vector, whose numbers coefs_ and intercepts_ hold."""
        state: dict[str, Any] = dict(super().__getstate__())  # which may be our own
        state.pop("_flat", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Gather the flat vector again, as predictions need it."""
        super().__setstate__(state)
        if "coefs_" in state:
            self._bind(Parameters.gathered(self.coefs_, self.intercepts_))
