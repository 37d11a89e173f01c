"""sgan-turing: the table of votes against closed forms, and the program as a user runs it."""

import csv
import re
import sys

import numpy as np
import pytest
from processes import refused, run
from scipy import stats

from sgan_tf.server.turing import summary, votes
from sgan_tf.server.turing.proportions import bootstrap, difference, wilson

# As a user runs it, and it needs no TensorFlow.
TURING = [
    sys.executable,
    "-c",
    "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
    "from sgan_tf.cli.turing import main; main()",
]


def person(session, model, real, generated):
    """Votes of one person, `(wrong, all)` of each kind of image."""
    return [
        votes.Vote(
            *("2026-01-01T00:00:00+00:00", session, f"{session} {model} {is_real} {i}", 0),
            *(model, 1, "digits", is_real, "7", i, is_real != (i < wrong), 1500),
        )
        for is_real, (wrong, count) in ((True, real), (False, generated))
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Three people on one model; one of them and a fourth on another."""
    path = tmp_path_factory.mktemp("votes") / "votes.sqlite"
    file = votes.Votes(path)
    for some in (
        person("ann", "one", (2, 40), (10, 50)),
        person("bob", "one", (4, 20), (3, 25)),
        person("eve", "one", (0, 30), (6, 15)),
        person("ann", "two", (5, 10), (4, 8)),
        person("dan", "two", (1, 9), (8, 9)),
    ):
        file.add(some)
    file.close()
    return path


@pytest.mark.parametrize(("hits", "count"), [(0, 9), (1, 9), (9, 9), (2196, 9000), (1, 1)])
def test_wilsons_interval_is_scipys(hits, count):
    expected = stats.binomtest(hits, count).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(wilson(hits, count), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((56, 70, 48, 80), (0.0524, 0.3339)), ((9, 10, 3, 10), (0.1705, 0.8090))],
)
def test_the_interval_of_a_difference_is_newcombes(counts, expected):
    """Newcombe (1998), table II, method 10."""
    np.testing.assert_allclose(difference(*counts), expected, atol=5e-5)
    low, high = expected
    np.testing.assert_allclose(difference(*counts[2:], *counts[:2]), (-high, -low), atol=5e-5)


def test_the_bootstrap_draws_people():
    # Of a mean the bootstrap tends to the normal interval with the variance of the people.
    rng = np.random.default_rng(1)
    people = rng.normal(5, 2, 400)
    low, high = bootstrap(people, lambda total: total / len(people), draws=4000)
    half = 1.96 * people.std() / len(people) ** 0.5
    np.testing.assert_allclose((low, high), people.mean() + np.array([-half, half]), atol=0.02)
    # Votes of one person that are all alike say no more than one vote does.
    wrong = rng.random(60) < 0.3
    by_one = bootstrap(np.stack([wrong, np.ones(60)], 1), lambda t: t[0] / t[1])
    by_ten = bootstrap(10 * np.stack([wrong, np.ones(60)], 1), lambda t: t[0] / t[1])
    assert by_one == by_ten
    narrow = wilson(10 * int(wrong.sum()), 600)
    assert by_ten.high - by_ten.low > 2 * (narrow.high - narrow.low)


def test_the_table_counts_by_model_and_person(kept):
    one, two = summary.results(votes.counts(kept))
    assert (one.model, one.sessions, one.hits) == ("one", ("ann", "bob", "eve"), (25, 180))
    assert one.real.tolist() == [[2, 40], [4, 20], [0, 30]]
    assert two.generated.tolist() == [[4, 8], [8, 9]]
    low, high = one.by_people()
    rates = [12 / 90, 7 / 45, 6 / 45]
    assert min(rates) <= low < 25 / 180 < high <= max(rates)
    _, _, row, _ = summary.markdown([one, two]).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:6] == ["one", "1", "digits", "180", "3", "13.9%"]
    assert cells[8:] == ["6.7% of 90", "21.1% of 90"]
    assert cells[6] == "{:.1%} to {:.1%}".format(*wilson(25, 180))


def test_two_models_differ_by_so_much(kept):
    one, two = summary.results(votes.counts(kept))
    (line,) = summary.comparisons([one, two])
    low, high = (100 * limit for limit in difference(25, 180, 18, 36))
    assert line.startswith(
        "one (version 1, digits) less two (version 1, digits): -36.1 points, "
        f"95 % by votes {low:+.1f} to {high:+.1f}, by people -"
    )
    assert summary.comparisons([one]) == []
    alone = summary.results([count for count in votes.counts(kept) if count.session == "dan"])
    assert "| – |" in summary.markdown(alone)
    assert summary.comparisons([one, *alone])[0].endswith("by people –")


def test_the_program_prints_the_table_and_writes_every_vote(kept, tmp_path):
    out = tmp_path / "votes.csv"
    for _ in range(2):  # its own file is written anew
        printed, err = run(TURING, ["--votes", kept, "--csv", out])
    assert "| one | 1 | digits | 180 | 3 | 13.9% |" in printed and err == ""
    assert "Wilson" in printed and "one (version 1, digits) less two" in printed
    lines = list(csv.reader(out.open()))
    assert lines[0] == list(votes.COLUMNS) and len(lines) == 1 + 180 + 36
    assert lines[1][5:] == ["one", "1", "digits", "1", "7", "0", "0", "1500"]
    (tmp_path / "mine.csv").write_text("precious")
    for arguments, names in (
        (["--votes", kept, "--csv", tmp_path / "mine.csv"], "--csv: .*mine.csv is there"),
        (["--votes", out], "--votes: .*votes.csv is no file of votes"),
    ):
        error = refused(TURING, arguments)
        assert re.search(names, error), error
    assert (tmp_path / "mine.csv").read_text() == "precious"


def test_a_file_without_votes_says_so(tmp_path):
    votes.Votes(tmp_path / "new.sqlite").close()
    printed, _ = run(TURING, ["--votes", tmp_path / "new.sqlite"])
    assert [path.name for path in tmp_path.iterdir()] == ["new.sqlite"]
    assert printed == f"{tmp_path / 'new.sqlite'} holds no votes yet\n"
