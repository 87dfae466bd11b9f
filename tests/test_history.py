"""History as a mapping, as attributes, and as a plot."""

import copy
import pickle
import sys
import types

import pytest

from fastbp import History


def test_names_are_items_and_attributes():
    history = History()
    assert history.epochs == 0
    history.append({"loss": 0.5, "seconds": 1.0})
    history.append({"loss": 0.25, "seconds": 2.0})
    assert history.loss == history["loss"] == [0.5, 0.25]
    assert set(history) == {"loss", "seconds"}
    assert history.epochs == 2
    assert "loss=0.25" in repr(history)
    with pytest.raises(AttributeError, match="recorded loss, seconds"):
        _ = history.val_loss


def test_to_dict_is_a_copy():
    history = History({"loss": [1.0]})
    history.to_dict()["loss"].append(2.0)
    assert history.to_dict() == {"loss": [1.0]}


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_histories_can_be_copied(duplicate):
    assert duplicate(History({"loss": [1.0]})).to_dict() == {"loss": [1.0]}


def test_plot_hands_the_lists_and_the_path_to_plotting(monkeypatch):
    plotting = types.ModuleType("fastbp.plotting")
    plotting.plot_history = lambda lists, path: (lists, path)
    monkeypatch.setitem(sys.modules, "fastbp.plotting", plotting)
    assert History({"loss": [1.0]}).plot("loss.png") == ({"loss": [1.0]}, "loss.png")
