"""Any value in the place of any argument: it is used, or refused before anything has changed."""

import array
import copy
import datetime
import traceback
import warnings
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from api_problems import blobs, everything

import fastbp
from fastbp import Adam, DivergenceError, MLP, SGD
from fastbp.validation import shown

X, Y = blobs(rows=12)
HUGE = 10**5000  # which Python does not print
PACKAGE = Path(fastbp.__file__).parent


def filled(value):
    """X with another number in it."""
    return np.where(np.arange(48).reshape(12, 4) == 17, value, X.astype(float))


NUMBERS = [0, 1, 2, 3, -1, True, 0.0, 0.5, 1.0, -0.5, 1e-320, 1e308, float("nan"), float("inf")]
NUMBERS += [2**31, 2**63, 2**70, HUGE, -(2**70), 1j, Fraction(1, 3), np.float32(0.1)]
NUMBERS += [np.int8(3), np.uint64(2**64 - 1), np.float16(0.5), np.longdouble("1e4000"), np.bool_(1)]
OTHERS = [None, ..., "", "relu", "adam", "3", "\ud800", b"x", b"relu", [], (), {}, set(), [None]]
OTHERS += [{"a": 1}, range(3), range(12), object(), type, MLP, Adam, Adam(), SGD(0.1), Path("x")]
OTHERS += [datetime.date(2000, 1, 1), array.array("f", [1, 2, 3]), memoryview(b"abc"), slice(3)]
OTHERS += [["x"] * 12, [[1]] * 12, [[1, 2], [3]], [[[]]], [2**70] * 12, [HUGE] * 12, (X, Y)]
OTHERS += [
    [1, None],
    {0: 1.0},
    {7: 1.0},
    {0: "x"},
    {"x": 1.0},
    "balanced",
    [0.5],
    [1.5],
    X.tolist(),
]
ARRAYS = [X, X[:0], X[:, :0], X[0], X.T, X[::-1], X[:, ::-1], X[None], Y, Y[::-1], Y[:5], -Y]
ARRAYS += [np.asfortranarray(X), X.astype(">f4"), X.astype(np.float16), X.astype(np.longdouble)]
ARRAYS += [filled(v) for v in (np.nan, np.inf, 1e39, 3e38, -1e300, 1e-45)]
ARRAYS += [np.array(3.0), np.empty((12, 4), object), np.full(12, "1"), np.zeros(12, "M8[s]")]
ARRAYS += [
    np.zeros(12, "i4,f4"),
    np.ma.masked_less(X, 0),
    np.ma.array(X),
    np.zeros(12),
    -np.ones(12),
]
ARRAYS += [np.eye(3)[Y], np.eye(3)[Y] * 2, Y.astype(float), Y + 0.5, Y.astype(np.uint8), Y > 1]
ARRAYS += [np.lib.stride_tricks.as_strided(X[:1], (12, 4), (0, 4)), np.zeros(12)]
ARRAYS += [np.frombuffer(bytes(193), "u1")[1:].view("f4").reshape(12, 4), np.zeros((12, 4), "S3")]
VALUES = [*NUMBERS, *OTHERS, *ARRAYS]


def random_array(rng):
    """Any numbers, or none, in any form; most often a form that could be right."""
    shape = [(12, 4), (12,), (12, 3), (43,), (12, 1), (3, 4), (), (0, 4), (2, 3, 4)][
        rng.integers(9)
    ]
    kind = rng.choice(["f4", "f8", "f2", "i8", "i4", "u1", "?", ">f8", "c8", "S2", "U2", "g"])
    scale = 10.0 ** rng.choice([-320, -40, -3, 0, 0, 0, 1, 39, 300])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = np.array(scale * rng.standard_normal(shape)).astype(kind)
    if values.ndim > 1 and rng.random() < 0.3:
        values = np.asfortranarray(values)
    return values


DATA = {"X": X, "y": Y}
TRAINING = {"batch_size": 5, "optimizer": "adam", "l1": 0.0, "l2": 0.0, "dropout": 0.0,
            "max_norm": None, "clip_norm": None, "validation_data": None, "sample_weight": None,
            "class_weight": None, "shuffle": True, "augment": None, "callbacks": (),
            "progress": False, "threads": 1}  # fmt: skip
CALLS = {
    "forward": {"X": X},
    "predict": {"X": X},
    "predict_proba": {"X": X},
    "evaluate": DATA,
    "value_and_grad": {**DATA, "sample_weight": None, "l1": 0.0, "l2": 0.0},
    "input_gradient": DATA,
    "layer_errors": DATA,
    "hessian_vector_product": {**DATA, "v": np.ones(43), "sample_weight": None, "l2": 0.0},
    "check_gradient": {"X": X, "y": Y},
    "partial_fit": {**DATA, **TRAINING},
    "fit": {**DATA, **TRAINING},
}


def assert_refused(error, what):
    """The error is a sentence about the argument, from the checks and not from deep inside."""
    frames = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    assert PACKAGE in frames[-1].parents, f"{what}: {error!r} from {frames[-1]}"
    assert "kernels" not in frames[-1].parts, f"{what}: {error!r} from {frames[-1]}"
    assert len(str(error)) < 1000, what


def attempt(call, what):
    """Call; return what kind of error came, if any."""
    try:
        with np.errstate(all="ignore"):
            call()
    except (ValueError, TypeError) as error:
        assert_refused(error, what)
        return "refused"
    except Exception as error:
        if type(error) in (ArithmeticError, DivergenceError):  # of numbers too large
            assert_refused(error, what)
            return "too large"
        raise AssertionError(f"{what}: {error!r}") from error
    return "done"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_works_or_is_refused(name):
    rng = np.random.default_rng(0)
    net = MLP([4, 5, 3], activation="tanh", seed=0)
    net.partial_fit(X, Y)
    more = {"epochs": 2} if name == "fit" else {}
    before, twin, outcomes = everything(net), copy.deepcopy(net), set()
    for argument in CALLS[name]:
        values = [*VALUES, *(random_array(rng) for _ in range(20))]
        if argument == "callbacks":  # what they raise is theirs
            values = [value for value in values if not isinstance(value, (list, tuple))]
        for value in values:
            what = f"{name}({argument}={shown(value)})"
            arguments = {**CALLS[name], argument: value, **more}
            outcome = attempt(partial(getattr(net, name), **arguments), what)
            outcomes.add(outcome)
            assert np.isfinite(net.parameters).all(), what
            if outcome == "refused" or name not in ("fit", "partial_fit"):
                assert everything(net) == before, what
            elif outcome == "too large":
                assert everything(net)[0] == before[0], what
            if outcome != "refused":
                net = copy.deepcopy(twin)
    assert outcomes >= {"refused", "done"}


NET = {"sizes": [4, 5, 3], "activation": "relu", "output": "softmax", "loss": "cross_entropy",
       "init": "auto", "dtype": "float32", "seed": 0}  # fmt: skip


@pytest.mark.parametrize("argument", NET)
def test_a_net_is_made_or_refused(argument):
    sizes = [[HUGE, 3], [2**31 - 1] * 2, [2**31, 3], [3], [3, 0], [3, 2.0], [[3], [2]], [4, True]]
    for value in [*VALUES, *(sizes if argument == "sizes" else [])]:
        what = f"{argument}={shown(value)}"
        if argument == "seed" and value is HUGE:
            continue  # a seed may have any size
        attempt(partial(MLP, **{**NET, argument: value}), what)


def test_parameters_are_copied_in_or_refused():
    rng, net = np.random.default_rng(0), MLP([4, 5, 3], seed=0)
    for value in [*VALUES, *(random_array(rng) for _ in range(100))]:
        before = everything(net)
        if attempt(partial(setattr, net, "parameters", value), "parameters") != "done":
            assert everything(net) == before
        assert np.isfinite(net.parameters).all()


OPTIONS = {
    fastbp.SGD: ["learning_rate", "momentum", "nesterov"],
    fastbp.Adam: ["learning_rate", "beta1", "beta2", "epsilon"],
    fastbp.AdamW: ["learning_rate", "beta1", "beta2", "epsilon", "weight_decay"],
    fastbp.RMSprop: ["learning_rate", "rho", "epsilon"],
    fastbp.Adagrad: ["learning_rate", "epsilon"],
    fastbp.LBFGS: ["tolerance", "memory"],
    fastbp.EarlyStopping: ["monitor", "patience", "min_delta", "restore_best"],
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_an_option_is_made_or_refused(kind):
    for name in OPTIONS[kind]:
        for value in VALUES:
            what = f"{kind.__name__}({name}={shown(value)})"
            attempt(partial(kind, **{name: value}), what)
        with pytest.raises(TypeError, match=name):
            kind(**{name: object()})
