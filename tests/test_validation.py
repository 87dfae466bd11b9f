"""Users' mistakes: each is refused by name, and changes nothing; and what must just work."""

import math

import numpy as np
import pytest
from api_problems import blobs, everything

from fastbp import Adam, EarlyStopping, MLP, ReduceOnPlateau

X, Y = blobs(rows=12)
TARGETS = np.eye(3)[Y]

WRONG_NETS = [
    ("sizes", {"sizes": "784"}),
    ("sizes", {"sizes": 784}),
    ("sizes", {"sizes": [4]}),
    (r"sizes\[1\]", {"sizes": [4, 0, 3]}),
    (r"sizes\[1\]: got a number of 16610 bits", {"sizes": [4, 10**5000, 3]}),
    (r"sizes: got \d+ parameters", {"sizes": [4, 2**30, 2**30, 3]}),
    (r"sizes\[1\]", {"sizes": [4, 2.5, 3]}),
    (r"sizes\[0\]", {"sizes": [True, 3]}),
    ("activation.*did you mean 'relu'", {"activation": "rellu"}),
    ("activation", {"activation": "softmax"}),
    ("activation", {"activation": None}),
    ("activation", {"activation": ["relu", "tanh"]}),
    (r"activation\[0\]", {"activation": ["rel"]}),
    ("output", {"output": "softmx"}),
    ("output", {"sizes": [4, 1]}),
    ("loss.*did you mean 'cross_entropy'", {"loss": "crossentropy"}),
    ("loss.*goes with output softmax, sigmoid", {"output": "relu"}),
    ("loss.*goes with loss", {"loss": "poisson"}),
    ("init", {"init": "xavier"}),
    ("dtype", {"dtype": "float16"}),
    ("dtype", {"dtype": "float23"}),
    ("dtype", {"dtype": None}),
    ("dtype", {"dtype": ">f4"}),
    ("seed", {"seed": -1}),
    ("seed", {"seed": 1.5}),
    ("seed", {"seed": "lucky"}),
]


@pytest.mark.parametrize(("name", "arguments"), WRONG_NETS)
def test_a_net_that_cannot_be_is_refused(name, arguments):
    with pytest.raises((ValueError, TypeError), match=rf"^{name}"):
        MLP(**{"sizes": [4, 5, 3], **arguments})


def with_value(value, row=5):
    rows = X.astype(object if isinstance(value, str) else float)
    rows[row, 1] = value
    return rows


WRONG_X = [
    X[:, :3],
    X[0],
    X[None],
    X[:0],
    [],
    3.0,
    None,
    "text",
    [["a", "b", "c", "d"]],
    with_value("seven"),
    X.astype(complex),
    X.astype(bytes),
    [[1, 2, 3, 4], [5, 6]],
    X.astype("datetime64[s]"),
    np.ma.masked_less(X, 0),
    with_value(math.nan),
    with_value(-math.inf),
    with_value(1e39),
    type("Sparse", (), {"tocsr": None})(),
]
WRONG_Y = [
    Y[:11],
    Y[:0],
    Y[:, None],
    Y[None],
    2,
    None,
    [str(label) for label in Y],
    Y.astype(complex),
    Y + 1,
    Y - 1,
    Y + 0.5,
    np.where(Y == 2, math.nan, Y),
    TARGETS[:, :2],
    np.hstack([TARGETS, TARGETS]),
    np.where(TARGETS == 1, math.nan, 0),
    np.where(TARGETS == 1, math.inf, 0),
    TARGETS * 2,
    TARGETS - 0.5,
    TARGETS * 0.9,
]
WRONG_WEIGHTS = [
    np.ones(11),
    np.ones((12, 1)),
    1.0,
    np.zeros(12),
    -np.ones(12),
    np.full(12, math.nan),
    np.full(12, math.inf),
    ["1"] * 12,
]


def trained(**arguments):
    net = MLP([4, 5, 3], seed=0, **arguments)
    net.partial_fit(X, Y)
    return net


def refuses(net, name, call):
    before = everything(net)
    with pytest.raises((ValueError, TypeError), match=rf"^{name}.*got .*expected"):
        call(net)
    assert everything(net) == before


@pytest.mark.parametrize("rows", WRONG_X, ids=range(len(WRONG_X)))
def test_a_wrong_x_is_refused_everywhere(rows):
    net = trained()
    refuses(net, "X", lambda net: net.forward(rows))
    refuses(net, "X", lambda net: net.predict_proba(rows))
    refuses(net, "X", lambda net: net.evaluate(rows, Y))
    refuses(net, "X", lambda net: net.value_and_grad(rows, Y))
    refuses(net, "X", lambda net: net.input_gradient(rows, Y))
    refuses(net, "X", lambda net: net.layer_errors(rows, Y))
    refuses(net, "X", lambda net: net.fit(rows, Y))
    refuses(net, "X", lambda net: net.partial_fit(rows, Y))
    refuses(net, "X of validation_data", lambda net: net.fit(X, Y, validation_data=(rows, Y)))


@pytest.mark.parametrize("y", WRONG_Y, ids=range(len(WRONG_Y)))
def test_a_wrong_y_is_refused_everywhere(y):
    net = trained()
    refuses(net, "y", lambda net: net.evaluate(X, y))
    refuses(net, "y", lambda net: net.value_and_grad(X, y))
    refuses(net, "y", lambda net: net.check_gradient(X, y))
    refuses(net, "y", lambda net: net.fit(X, y))
    refuses(net, "y", lambda net: net.partial_fit(X, y))
    refuses(net, "y of validation_data", lambda net: net.fit(X, Y, validation_data=(X, y)))


@pytest.mark.parametrize("weights", WRONG_WEIGHTS, ids=range(len(WRONG_WEIGHTS)))
def test_wrong_sample_weights_are_refused(weights):
    net = trained()
    refuses(net, "sample_weight", lambda net: net.fit(X, Y, sample_weight=weights))
    refuses(net, "sample_weight", lambda net: net.value_and_grad(X, Y, sample_weight=weights))


WRONG_OPTIONS = [
    ("batch_size", {"batch_size": 0}),
    ("batch_size", {"batch_size": 32.0}),
    ("batch_size", {"batch_size": "all"}),
    ("optimizer", {"optimizer": "adma"}),
    ("optimizer", {"optimizer": Adam}),
    ("optimizer", {"optimizer": 0.1}),
    ("l1", {"l1": -1e-3}),
    ("l2", {"l2": math.nan}),
    ("l2", {"l2": "strong"}),
    ("dropout", {"dropout": 1.0}),
    ("dropout", {"dropout": -0.1}),
    ("dropout", {"dropout": [0.1, 0.2]}),
    (r"dropout\[0\]", {"dropout": [2.0]}),
    ("max_norm", {"max_norm": 0}),
    ("clip_norm", {"clip_norm": -1.0}),
    ("clip_norm", {"clip_norm": math.inf}),
    ("validation_data", {"validation_data": 0.2}),
    ("validation_data", {"validation_data": (X,)}),
    ("class_weight", {"class_weight": "balance"}),
    ("class_weight", {"class_weight": [1.0, 2.0, 3.0]}),
    ("class_weight key", {"class_weight": {3: 1.0}}),
    ("class_weight key", {"class_weight": {"cat": 1.0}}),
    (r"class_weight\[1\]", {"class_weight": {1: -1.0}}),
    ("class_weight", {"class_weight": {0: 0, 1: 0, 2: 0}}),
    ("shuffle", {"shuffle": "yes"}),
    ("shuffle", {"shuffle": None}),
    ("callbacks", {"callbacks": EarlyStopping()}),
    (r"callbacks\[0\]", {"callbacks": [EarlyStopping]}),
    (r"callbacks\[1\]", {"callbacks": [print, "print"]}),
    ("monitor", {"callbacks": [EarlyStopping()]}),
    ("monitor", {"callbacks": [EarlyStopping("val_r2")], "validation_data": (X, Y)}),
    ("monitor", {"optimizer": Adam(ReduceOnPlateau(0.1))}),
    ("progress", {"progress": "always"}),
    ("progress", {"progress": 1}),
    ("threads", {"threads": 0}),
    ("threads", {"threads": 10**6}),
    ("threads", {"threads": 1.5}),
]


@pytest.mark.parametrize(("name", "options"), WRONG_OPTIONS)
def test_a_wrong_option_is_refused_and_changes_nothing(name, options):
    net = trained()
    refuses(net, name, lambda net: net.fit(X, Y, **options))
    refuses(net, name, lambda net: net.partial_fit(X, Y, **options))


@pytest.mark.parametrize("epochs", [0, -1, 2.0, None, True])
def test_wrong_epochs_are_refused(epochs):
    refuses(trained(), "epochs", lambda net: net.fit(X, Y, epochs=epochs))


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(3),
        np.zeros((43, 1)),
        np.full(43, math.nan),
        np.full(43, 1e39),
        np.zeros(43, complex),
        ["0"] * 43,
        None,
    ],
    ids=range(7),
)
def test_wrong_parameters_are_refused(vector):
    refuses(trained(), "parameters", lambda net: setattr(net, "parameters", vector))


@pytest.mark.parametrize(("name", "value"), [("l1", -1), ("l2", math.inf), ("l2", None)])
def test_wrong_penalties_are_refused(name, value):
    refuses(trained(), name, lambda net: net.value_and_grad(X, Y, **{name: value}))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("monitor", {"monitor": "validation_loss"}),
        ("monitor", {"monitor": None}),
        ("patience", {"patience": 0}),
        ("min_delta", {"min_delta": -0.1}),
        ("restore_best", {"restore_best": 1}),
    ],
)
def test_wrong_early_stopping_is_refused(name, arguments):
    with pytest.raises((ValueError, TypeError), match=rf"^{name}"):
        EarlyStopping(**arguments)


def test_dropout_of_a_net_without_hidden_layers_is_refused():
    net = MLP([4, 3], seed=0)
    refuses(net, "dropout", lambda net: net.fit(X, Y, dropout=0.5))


def test_targets_must_suit_the_loss():
    sigmoid = MLP([4, 1], output="sigmoid", seed=0)
    refuses(sigmoid, "y", lambda net: net.fit(X, Y))  # holds the label 2
    refuses(sigmoid, "class_weight", lambda net: net.fit(X, Y / 2, class_weight="balanced"))
    poisson = MLP([4, 1], output="softplus", loss="poisson", seed=0)
    refuses(poisson, "y", lambda net: net.fit(X, Y - 1.0))
    regression = MLP([4, 1], output="linear", loss="quadratic", seed=0)
    refuses(regression, "class_weight", lambda net: net.fit(X, Y, class_weight={0: 2.0}))


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda net: net.forward(X[0]), r"X\[None, :\]"),
        (lambda net: MLP([1, 2], seed=0).forward(X[:, 0]), r"X\[:, None\]"),
        (lambda net: net.fit(X, Y[:, None]), r"y\.ravel\(\)"),
        (lambda net: net.fit(X, Y, optimizer="adma"), r"did you mean 'adam'\?"),
        (lambda net: net.fit(X, Y, callbacks=[EarlyStopping()]), "pass validation_data"),
        (lambda net: net.fit(X, Y, callbacks=[EarlyStopping]), r"write EarlyStopping\(\)"),
    ],
    ids=range(6),
)
def test_a_message_says_what_to_do(call, advice):
    with pytest.raises((ValueError, TypeError), match=advice):
        call(trained())
