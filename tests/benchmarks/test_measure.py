"""Turns, ratios and tables, against values worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf
from flops import graph_flop
from measure import Ratio, alternate, fastest, ratio, seconds_text, table
from memory import peak


def test_contestants_take_turns():
    calls = []
    contestants = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = alternate(contestants, alternations=2, calls=2)
    assert "".join(calls) == "aabbccaabbcc"
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2, "c": 2}


def test_a_ratio_is_of_alternations_and_not_of_medians():
    # Turn by turn 3, 0.5 and 2; the ratio of the medians would be 1.5.
    assert ratio([6.0, 1.0, 3.0], [2.0, 2.0, 1.5]) == Ratio(2.0, 0.5, 3.0)
    assert str(ratio([1.0, 1.5], [2.0, 2.0])) == "0.62 (0.50 to 0.75)"


def test_the_fastest_is_so_by_its_median():
    assert fastest({"once": [0.1, 5.0, 5.0], "steady": [1.0, 1.0, 1.0]}) == "steady"


def test_times_as_text():
    texts = [seconds_text([seconds]) for seconds in (0.00345, 0.25, 1.234, 61.2, 250.4)]
    assert texts == ["3.45 ms", "250 ms", "1.23 s", "61.2 s", "250 s"]


def test_a_table_is_markdown():
    assert table(["a", "b"], [["x", 1]]) == "| a | b |\n|---|---|\n| x | 1 |"


@pytest.mark.parametrize(("stride", "places"), [(1, 64), (2, 16)])
def test_flop_of_a_convolution_and_its_gradients(stride, places):
    x, kernel = tf.ones([2, 8, 8, 3]), tf.Variable(tf.ones([3, 3, 3, 5]))

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.nn.conv2d(x, kernel, stride, "SAME") ** 2)
        return tape.gradient(y, [x, kernel])

    # Images, places, kernel, channels in and out, a product and a sum; and twice that backwards.
    forward = 2 * places * 9 * 3 * 5 * 2
    assert graph_flop(gradients.get_concrete_function().graph) == 3 * forward


def test_flop_of_a_dense_layer():
    x, w = tf.ones([4, 7]), tf.Variable(np.ones((7, 3), "float32"))
    graph = tf.function(lambda: x @ w).get_concrete_function().graph
    assert graph_flop(graph) == 4 * 7 * 3 * 2


def test_a_peak_is_of_the_process_alone():
    before, more = (int(peak(["-c", f"x = b'1' * ({mib} * 2**20)"])) for mib in (0, 300))
    assert before < 100 < 300 < more < before + 320  # this process, with TensorFlow, is larger
