"""Data expansion: a golden picture, what is drawn and when, and what stays as it is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from fastbp import Distortions, expand_shifts, MLP
from fastbp.datasets import load_mnist_sample

EVERYTHING = Distortions(shift=1.5, rotation=15, scale=0.15, elastic=34)
SHADES = " .:-=+*#%@"


def digits(n=20, dtype=np.float32):
    return (load_mnist_sample().train_images[:n] / 255).astype(dtype)


def picture(image):
    return ["".join(SHADES[int(9.99 * v)] for v in row).rstrip() for row in image.reshape(28, 28)]


def test_golden_picture():
    distorted = EVERYTHING.apply(digits(1, np.float64), seed=7)
    assert picture(distorted[0]) == GOLDEN


GOLDEN = [
    "",
    "",
    "               .=#@#-",
    "            .=.#@%*-.",
    "           .#%+=:.",
    "         :@@@=",
    "       .+%@#*:",
    "      :@@@%",
    "      -@*@=",
    "      .=.*%:::.",
    "         -#%%@#=:",
    "          .+##%@%:",
    "            ..:@@#.",
    "               *@@-",
    "              .=@@*",
    "              .+%@%",
    "              .*%@%:",
    "              -#@@@=",
    "              +@@@#=",
    "             .#@@%-",
    "             *@@#-",
    "            -%@%-",
    "           -%@%:",
    "          :#@%:",
    "        .#@@@-",
    "      .=%@%*:",
    "      -%%*:",
    "",
]


def reference(image, distortions, seed, epoch, row):
    """The same image by scipy.ndimage, from the same draws, written down from the docstrings."""
    mask = 2**64 - 1

    def mix(x):
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & mask
        return x ^ x >> 31

    key = mix(mix(mix(seed) + epoch) + row & mask)
    draws = np.array([(mix(key + i & mask) >> 11) * 2.0**-52 - 1 for i in range(8 + 2 * 784)])
    angle = np.deg2rad(distortions.rotation) * draws[0]
    scale = np.diag(1 + distortions.scale * draws[1:3])
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array([13.5, 13.5])
    places = np.stack(np.mgrid[:28, :28], axis=-1) - centre
    places = places @ (scale @ rotation).T + centre - distortions.shift * draws[3:5]
    noise = draws[8:].reshape(2, 28, 28)
    fields = [
        distortions.elastic
        * ndimage.gaussian_filter(field, distortions.smoothness, mode="constant", truncate=28 / 4)
        for field in noise
    ]
    where = [places[..., i] + fields[i] for i in (0, 1)]
    return ndimage.map_coordinates(image, where, order=1, mode="grid-constant")


@pytest.mark.parametrize(
    "distortions",
    [
        EVERYTHING,
        Distortions(rotation=30),
        Distortions(scale=0.3),
        Distortions(shift=2.5),
        Distortions(elastic=20, smoothness=3),
    ],
)
def test_scipy_agrees(distortions):
    X = digits(3, np.float64)
    distorted = distortions.apply(X, seed=11, epoch=4)
    for row, image in enumerate(X.reshape(-1, 28, 28)):
        expected = reference(image, distortions, 11, 4, row)
        # SciPy leaves out what is 28 / 4 sigma away or more: e^-24.5 of 784 draws, 34 times.
        assert_allclose(distorted[row].reshape(28, 28), expected, atol=1e-10)


def test_no_distortion_changes_nothing():
    X = digits()
    assert_array_equal(Distortions().apply(X), X)
    assert Distortions().apply(X).dtype == np.float32


def test_whole_pixels_take_each_shift_as_often():
    X = np.zeros((4000, 25))
    X[:, 12] = 1
    moved = Distortions(shape=(5, 5), shift=1, whole_pixels=True).apply(X)
    counts = moved.sum(axis=0).reshape(5, 5)
    assert set(np.unique(moved)) == {0.0, 1.0}
    assert counts.sum() == counts[1:4, 1:4].sum() == 4000
    assert np.abs(counts[1:4, 1:4] - 4000 / 9).max() < 90  # 4.5 standard deviations


def test_bits_depend_on_seed_epoch_and_row_alone():
    X = digits(50)
    first = EVERYTHING.apply(X, seed=1)
    assert first.tobytes() == EVERYTHING.apply(X, seed=1, threads=3).tobytes()
    assert first[:7].tobytes() == EVERYTHING.apply(X[:7], seed=1).tobytes()
    for other in (EVERYTHING.apply(X, seed=2), EVERYTHING.apply(X, seed=1, epoch=1)):
        assert (np.abs(other - first).max(axis=1) > 0.1).all()
    same = np.repeat(X[:1], 5, axis=0)
    assert len(np.unique(EVERYTHING.apply(same), axis=0)) == 5


def test_pixels_stay_within_the_image_s_range():
    distorted = EVERYTHING.apply(digits(200))
    assert distorted.min() >= 0
    assert distorted.max() <= 1


def test_expand_shifts_is_the_books():
    X, y = digits(4), np.arange(4)
    images, labels = expand_shifts(X, y)
    assert_array_equal(labels, np.tile(y, 5))
    expected = [X]
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        rolled = np.roll(X.reshape(-1, 28, 28), step, axis + 1)
        edge = [slice(None)] * 3
        edge[axis + 1] = 0 if step > 0 else -1
        rolled[tuple(edge)] = 0
        expected.append(rolled.reshape(-1, 784))
    assert_array_equal(images, np.concatenate(expected))


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8", "u1"])
def test_doubles_stay_doubles_in_any_order_of_bytes(kind):
    X = (255 * digits(4)).astype(kind)
    out = EVERYTHING.apply(X)
    assert out.dtype == (np.float64 if kind.endswith("f8") else np.float32)
    assert_array_equal(out, EVERYTHING.apply(X.astype(out.dtype)))


def test_training_sees_new_images_each_epoch_and_leaves_the_data_alone():
    X, y = digits(64), load_mnist_sample().train_labels[:64]
    kept_X, kept_y = X.copy(), y.copy()
    options = {"epochs": 3, "batch_size": 16, "optimizer": "sgd", "shuffle": False}
    net = MLP([784, 10], seed=0)
    net.fit(X, y, augment=EVERYTHING, **options)
    assert_array_equal(X, kept_X)
    assert_array_equal(y, kept_y)

    by_hand = MLP([784, 10], seed=0)
    seed = int(by_hand._rng.integers(2**63 - 1))  # the draw that keys dropout too
    for epoch in range(3):
        images = EVERYTHING.apply(X, seed=seed, epoch=epoch)
        by_hand.fit(images, y, **(options | {"epochs": 1}))
    assert_array_equal(net.parameters, by_hand.parameters)


def test_same_bits_for_any_number_of_threads():
    X, y = digits(64), load_mnist_sample().train_labels[:64]
    nets = [MLP([784, 40, 10], seed=3) for _ in range(2)]
    for net, threads in zip(nets, (1, 2), strict=True):
        net.fit(X, y, epochs=2, augment=EVERYTHING, threads=threads)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"shape": 28}, "shape"),
        ({"shape": (0, 28)}, r"shape\[0\]"),
        ({"shift": -1}, "shift"),
        ({"scale": 1.0}, "scale"),
        ({"smoothness": 0}, "smoothness"),
        ({"elastic": "much"}, "elastic"),
        ({"whole_pixels": 1}, "whole_pixels"),
    ],
)
def test_wrong_limits_are_refused(wrong, text):
    with pytest.raises((ValueError, TypeError), match=text):
        Distortions(**wrong)


def test_wrong_images_are_refused():
    X, y = digits(10), np.zeros(10, int)
    with pytest.raises(ValueError, match="augment: got images of 5 x 5"):
        MLP([784, 10]).fit(X, y, augment=Distortions(shape=(5, 5)))
    with pytest.raises(TypeError, match="augment"):
        MLP([784, 10]).fit(X, y, augment="elastic")
    with pytest.raises(ValueError, match="augment"):
        MLP([784, 10]).fit(X, y, augment=EVERYTHING, optimizer="lbfgs")
    with pytest.raises(ValueError, match="NaN"):
        MLP([784, 10]).fit(X * np.nan, y, augment=EVERYTHING)
    with pytest.raises(ValueError, match=r"shape \(10, 784\)"):
        Distortions(shape=(5, 5)).apply(X)
    with pytest.raises(ValueError, match="y"):
        expand_shifts(X, y[:3])


@pytest.mark.parametrize("name", ["seed", "epoch"])
def test_draws_of_huge_numbers_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}: got 9223372036854775808"):
        EVERYTHING.apply(digits(), **{name: 2**63})
    EVERYTHING.apply(digits(), **{name: 2**63 - 1})
