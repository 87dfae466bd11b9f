"""The two estimators: scikit-learn's parameters, and what fastbp has more."""

from __future__ import annotations

from typing import Any, ClassVar

import sklearn.neural_network

from fastbp.sklearn import constraints
from fastbp.sklearn.base import FastMLP

__all__ = ["MLPClassifier", "MLPRegressor"]


def keep_parameters(estimator: Any, arguments: dict[str, Any]) -> None:
    """Store the arguments of a constructor under their names, untouched, as clone expects."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


class MLPClassifier(FastMLP, sklearn.neural_network.MLPClassifier):
    r"""scikit-learn's MLPClassifier, trained by fastbp's kernels.

    With scikit-learn's parameters only, it draws the same numbers from random_state, takes the same
    steps and so finds the same model, to rounding. What is more comes last, and is off by default.

    Parameters
    ----------
    hidden_layer_sizes, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, \
    max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, \
    early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in scikit-learn, with the same defaults and the same meaning. Solvers are sgd, adam and
        lbfgs, and here also adamw, rmsprop (whose decay is beta_2) and adagrad. learning_rate may
        be one of fastbp's schedules too, for all solvers but lbfgs; its rates replace
        learning_rate_init.
    activation : str or list of str, default="relu"
        identity, logistic, tanh or relu, and here also leaky_relu, elu, selu, gelu, silu and
        softplus; a list has one for each hidden layer.
    dropout : float or list of float, default=0.0
        The rate at which activations of hidden layers are dropped in training, for all of these
        layers or one each; those kept are divided by 1 - rate.
    l1 : float, default=0.0
        Adds l1 sum |w| to the loss of a batch, divided by its rows as alpha is.
    weight_decay : float, default=0.01
        Of the solver adamw, decoupled from the gradient; no other uses it.
    clip_norm : float, default=None
        A longer gradient is shortened to this norm.
    max_norm : float, default=None
        After a step, no neuron's incoming weights have a longer norm.
    stopping_monitor : {"score", "loss"}, default="score"
        What early stopping watches on the validation rows.
    callbacks : list, default=None
        Called after each epoch with the estimator and a dict of its numbers: epoch, loss,
        learning_rate, seconds, and of a validation set val_loss and val_accuracy. A callback that
        returns True ends training.
    max_seconds : float, default=None
        Training ends with the epoch in which this time is over.
    n_threads : int, default=None
        At most so many; one where the net and the batch are too small for several to gain. None has
        as many as numba may, or one, and one while other programs keep cores busy. The result has
        the same bits for any number.
    class_weight : dict, "balanced" or list of dict, default=None
        Weights of the classes, which multiply those of the rows, as
        sklearn.utils.class_weight.compute_sample_weight reads them; 1 for a class that a dict does
        not name. A list has a dict for each column of y.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Of shapes (n_in, n_out) and (n_out,), as in scikit-learn; live views of one flat vector.
    validation_loss_curve_ : list of float or None
        The loss on the validation rows after each epoch, without penalties.
    best_validation_loss_ : float or None
        That of the epoch whose parameters early stopping kept.

    All of scikit-learn's: classes_, loss_, best_loss_, loss_curve_, validation_scores_,
    best_validation_score_, t_, n_iter_, n_layers_, n_outputs_, out_activation_, n_features_in_ and
    feature_names_in_.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastbp.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(solver="lbfgs", max_iter=1000, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **sklearn.neural_network.MLPClassifier._parameter_constraints,
        **constraints.CLASSIFIER,
    }
    _original: ClassVar[Any] = sklearn.neural_network.MLPClassifier
    loss = "log_loss"

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: Any = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: Any = 0.001,
        power_t: Any = 0.5,
        max_iter: Any = 200,
        shuffle: Any = True,
        random_state: Any = None,
        tol: Any = 1e-4,
        verbose: Any = False,
        warm_start: Any = False,
        momentum: Any = 0.9,
        nesterovs_momentum: Any = True,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: Any = 15000,
        dropout: Any = 0.0,
        l1: Any = 0.0,
        weight_decay: Any = 0.01,
        clip_norm: Any = None,
        max_norm: Any = None,
        stopping_monitor: Any = "score",
        callbacks: Any = None,
        max_seconds: Any = None,
        n_threads: Any = None,
        class_weight: Any = None,
    ) -> None:
        keep_parameters(self, locals())


class MLPRegressor(FastMLP, sklearn.neural_network.MLPRegressor):
    r"""scikit-learn's MLPRegressor, trained by fastbp's kernels.

    With scikit-learn's parameters only, it draws the same numbers from random_state, takes the same
    steps and so finds the same model, to rounding. What is more comes last, and is off by default.

    Parameters
    ----------
    loss : {"squared_error", "poisson", "absolute_error", "huber"}, default="squared_error"
        The first two as in scikit-learn: halved, and poisson with the exponential as output
        function. huber is quadratic up to an error of 1.
    hidden_layer_sizes, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, \
    max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, \
    early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in scikit-learn, with the same defaults and the same meaning. Solvers are sgd, adam and
        lbfgs, and here also adamw, rmsprop (whose decay is beta_2) and adagrad. learning_rate may
        be one of fastbp's schedules too, for all solvers but lbfgs; its rates replace
        learning_rate_init.
    activation : str or list of str, default="relu"
        identity, logistic, tanh or relu, and here also leaky_relu, elu, selu, gelu, silu and
        softplus; a list has one for each hidden layer.
    dropout : float or list of float, default=0.0
        The rate at which activations of hidden layers are dropped in training, for all of these
        layers or one each; those kept are divided by 1 - rate.
    l1 : float, default=0.0
        Adds l1 sum |w| to the loss of a batch, divided by its rows as alpha is.
    weight_decay : float, default=0.01
        Of the solver adamw, decoupled from the gradient; no other uses it.
    clip_norm : float, default=None
        A longer gradient is shortened to this norm.
    max_norm : float, default=None
        After a step, no neuron's incoming weights have a longer norm.
    stopping_monitor : {"score", "loss"}, default="score"
        What early stopping watches on the validation rows.
    callbacks : list, default=None
        Called after each epoch with the estimator and a dict of its numbers: epoch, loss,
        learning_rate, seconds, and of a validation set val_loss and val_r2. A callback that
        returns True ends training.
    max_seconds : float, default=None
        Training ends with the epoch in which this time is over.
    n_threads : int, default=None
        At most so many; one where the net and the batch are too small for several to gain. None has
        as many as numba may, or one, and one while other programs keep cores busy. The result has
        the same bits for any number.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Of shapes (n_in, n_out) and (n_out,), as in scikit-learn; live views of one flat vector.
    validation_loss_curve_ : list of float or None
        The loss on the validation rows after each epoch, without penalties.
    best_validation_loss_ : float or None
        That of the epoch whose parameters early stopping kept.

    All of scikit-learn's: loss_, best_loss_, loss_curve_, validation_scores_,
    best_validation_score_, t_, n_iter_, n_layers_, n_outputs_, out_activation_, n_features_in_ and
    feature_names_in_.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from fastbp.sklearn import MLPRegressor
    >>> X, y = (scale(array) for array in load_diabetes(return_X_y=True))
    >>> model = MLPRegressor("huber", (20,), learning_rate_init=0.02, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.5
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **sklearn.neural_network.MLPRegressor._parameter_constraints,
        **constraints.REGRESSOR,
    }
    _original: ClassVar[Any] = sklearn.neural_network.MLPRegressor

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: Any = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: Any = 0.001,
        power_t: Any = 0.5,
        max_iter: Any = 200,
        shuffle: Any = True,
        random_state: Any = None,
        tol: Any = 1e-4,
        verbose: Any = False,
        warm_start: Any = False,
        momentum: Any = 0.9,
        nesterovs_momentum: Any = True,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: Any = 15000,
        dropout: Any = 0.0,
        l1: Any = 0.0,
        weight_decay: Any = 0.01,
        clip_norm: Any = None,
        max_norm: Any = None,
        stopping_monitor: Any = "score",
        callbacks: Any = None,
        max_seconds: Any = None,
        n_threads: Any = None,
    ) -> None:
        keep_parameters(self, locals())
