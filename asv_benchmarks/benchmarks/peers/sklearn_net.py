"""scikit-learn's MLPs. One epoch is a partial_fit.

Sigmoid outputs are its multilabel classifier, whose loss is the cross-entropy in cells A and H too:
it has no quadratic one for classifiers. The work is that of the other cost.
"""

import warnings

import numpy as np

from ..cells import Cell, first_parameters, one_hot
from .peer import Peer


class SkLearn(Peer):
    """MLPClassifier, or MLPRegressor."""

    modules = ("sklearn",)

    def __init__(self, cell: Cell, X: np.ndarray, y: np.ndarray) -> None:
        import threadpoolctl
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        threadpoolctl.threadpool_limits(1)
        self.cell, self.X, self.first = cell, X, first_parameters(cell)
        self.is_classifier = cell.output != "linear"
        if cell.output == "sigmoid":
            self.y = one_hot(y, cell.sizes[-1]).astype(int)
        else:
            self.y = y.ravel()
        kind = MLPClassifier if self.is_classifier else MLPRegressor
        self.net = kind(
            hidden_layer_sizes=cell.sizes[1:-1],
            activation={"sigmoid": "logistic"}.get(cell.hidden, cell.hidden),
            solver=cell.optimizer,
            alpha=cell.l2 * cell.batch,  # it divides the penalty by the rows of a batch
            batch_size=cell.batch,
            learning_rate_init=min(cell.rate, 0.5),  # 3.0 is too much for a cross-entropy
            momentum=cell.momentum,
            nesterovs_momentum=False,
            random_state=0,
        )
        self.fit(cell.batch)  # makes the weights

    def fit(self, rows: int) -> None:
        """One pass over the first rows."""
        if self.is_classifier:
            classes = np.arange(self.cell.sizes[-1])
            self.net.partial_fit(self.X[:rows], self.y[:rows], classes=classes)
        else:
            self.net.partial_fit(self.X[:rows], self.y[:rows])

    def restore(self) -> None:
        for W, b, (first_W, first_b) in zip(
            self.net.coefs_, self.net.intercepts_, self.first, strict=True
        ):
            W[:], b[:] = first_W.T, first_b

    def warm_up(self) -> None:
        self.fit(self.cell.batch)

    def epoch(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one epoch does not converge
            self.fit(len(self.X))

    def outputs(self, X: np.ndarray) -> np.ndarray:
        return self.net.predict_proba(X) if self.is_classifier else self.net.predict(X)

    def value_and_grad(self) -> object:
        # asv skips it: a peer that has no such function is no zero in its graphs.
        raise NotImplementedError("scikit-learn keeps its gradient to itself")
