"""Matt Mazur, "A Step by Step Backpropagation Example" (2015): one net, to every printed digit.

2-2-2 with sigmoids, quadratic cost, eta 0.5, the biases held. The page's error after one step and
its outputs after 10,000 (0.291027924; 0.015912196, 0.984065734) belong to a variant that sends
the error back through weights already updated. Those below were recomputed with backpropagation
proper; the others are the page's.
"""

import pytest

import fastbp

X, Y = [[0.05, 0.10]], [[0.01, 0.99]]
ETA = 0.5
W = [[[0.15, 0.20], [0.25, 0.30]], [[0.40, 0.45], [0.50, 0.55]]]  # w1 .. w8
B = [0.35, 0.60]  # one for both neurons of a layer


def net_of_the_page():
    net = fastbp.MLP(
        [2, 2, 2], activation="sigmoid", output="sigmoid", loss="quadratic", dtype="float64"
    )
    for weights, biases, w, b in zip(net.weights, net.biases, W, B, strict=True):
        weights[:], biases[:] = w, b
    return net


def hold_biases(net):
    for biases, b in zip(net.biases, B, strict=True):
        biases[:] = b


def step_by_gradient(net):
    net.parameters -= ETA * net.value_and_grad(X, Y)[1]
    hold_biases(net)


def step_by_fitting(net):
    net.partial_fit(X, Y, batch_size=1, optimizer=fastbp.SGD(ETA, momentum=0.0))
    hold_biases(net)


def assert_digits(values, digits):
    assert [f"{v:.{len(d) - 2}f}" for v, d in zip(values, digits, strict=True)] == digits


@pytest.mark.parametrize("step", [step_by_gradient, step_by_fitting])
def test_mazur(step):
    net = net_of_the_page()

    def error():
        return net.value_and_grad(X, Y)[0]

    assert_digits(net.forward(X)[0], ["0.751365070", "0.772928465"])
    assert_digits([error()], ["0.298371109"])

    step(net)
    first, second = net.weights
    assert_digits(first.ravel(), ["0.149780716", "0.19956143", "0.24975114", "0.29950229"])
    assert_digits(second.ravel(), ["0.35891648", "0.408666186", "0.511301270", "0.561370121"])
    assert_digits([error()], ["0.291027774"])

    for _ in range(9_998):
        step(net)
    assert_digits([error()], ["0.0000351085"])  # at the start of step 10,000
    step(net)
    assert_digits(net.forward(X)[0], ["0.015913620", "0.984064274"])
