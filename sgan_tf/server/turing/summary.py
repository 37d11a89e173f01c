"""The table of votes, with one row per model, and the differences between models."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgan_tf.server.turing.proportions import Interval, bootstrap, difference, wilson
from sgan_tf.server.turing.votes import Count

HEAD = (
    *("model", "version", "data set", "votes", "people", "error rate", "95 % by votes"),
    *("95 % by people", "real called generated", "generated called real"),
)
NOTES = """\
Error rate: the share of images that people took for the other kind; 50 % cannot be told apart.
By votes: Wilson's interval (1927), of differences Newcombe's (1998, method 10); both take votes for
independent. By people: percentile bootstrap over sessions, 10,000 draws; of one person there is
none, and of fewer than ten it is too narrow."""


@dataclass(frozen=True)
class Result:
    """Holds the votes on one version of a model.

    Attributes:
        model: String. See `Vote`.
        version: Integer. See `Vote`.
        dataset: String. See `Vote`.
        sessions: Tuple of P strings. The session of each person.
        real: Integer `np.ndarray` `[P, 2]`. The number of wrong votes on real images per person,
            and the number of all their votes on real images.
        generated: Integer `np.ndarray` `[P, 2]`. The same for generated images.
    """

    model: str
    version: int
    dataset: str
    sessions: tuple[str, ...]
    real: np.ndarray
    generated: np.ndarray

    @property
    def people(self) -> np.ndarray:
        """Integer `np.ndarray` `[P, 2]`. The numbers of wrong votes and of all votes per person."""
        return self.real + self.generated

    @property
    def hits(self) -> tuple[int, int]:
        """Tuple of integers. The numbers of wrong votes and of all votes."""
        return _total(self.people)

    @property
    def name(self) -> str:
        """String. The model with its version and data set."""
        return f"{self.model} (version {self.version}, {self.dataset})"

    def by_people(self) -> Interval | None:
        """Returns the interval of the error rate over people; None for a single person."""
        return bootstrap(self.people, _rate) if len(self.sessions) > 1 else None


def results(counts: Sequence[Count]) -> list[Result]:
    """Groups votes by model, version and data set.

    Args:
        counts: Sequence of `Count`. The votes of each session.

    Returns:
        List of `Result`, sorted by model, version and data set.
    """
    found = []
    for key, counted in itertools.groupby(
        sorted(counts), lambda count: (count.model, count.version, count.dataset)
    ):
        group = list(counted)
        real = np.array([(count.real_wrong, count.real) for count in group])
        generated = np.array([(count.generated_wrong, count.generated) for count in group])
        found.append(Result(*key, tuple(c.session for c in group), real, generated))
    return found


def markdown(rows: Sequence[Result]) -> str:
    """Returns the table of votes as Markdown.

    Args:
        rows: Sequence of `Result`. One row of the table each.
    """
    lines = [HEAD, ["---"] * len(HEAD)]
    for row in rows:
        wrong, votes = row.hits
        lines.append(
            (
                *(row.model, str(row.version), row.dataset, f"{votes:,}", str(len(row.sessions))),
                *(f"{wrong / votes:.1%}", _shown(wilson(wrong, votes)), _shown(row.by_people())),
                *(_share(*_total(row.real)), _share(*_total(row.generated))),
            )
        )
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def comparisons(rows: Sequence[Result]) -> list[str]:
    """Compares the error rates of each pair of results.

    Args:
        rows: Sequence of `Result`. The results to compare.

    Returns:
        List of strings. One line per pair.
    """
    lines = []
    for a, b in itertools.combinations(rows, 2):
        wrong_a, votes_a = a.hits
        wrong_b, votes_b = b.hits
        apart = wrong_a / votes_a - wrong_b / votes_b
        by_votes = difference(wrong_a, votes_a, wrong_b, votes_b)
        people = _both(a, b)
        lines.append(
            f"{a.name} less {b.name}: {100 * apart:+.1f} points, 95 % by votes "
            f"{_points(by_votes)}, by people {_points(people)}"
        )
    return lines


def _both(a, b):
    """Returns the interval of the difference over all who voted on one of them or on both."""
    if min(len(a.sessions), len(b.sessions)) < 2:
        return None
    sessions = {name: place for place, name in enumerate(dict.fromkeys(a.sessions + b.sessions))}
    people = np.zeros((len(sessions), 2, 2), int)
    for side, result in enumerate((a, b)):
        people[[sessions[name] for name in result.sessions], side] = result.people
    return bootstrap(people, lambda total: _rate(total[0]) - _rate(total[1]))


def _rate(total):
    return np.divide(total[0], total[1])


def _total(people):
    wrong, votes = people.sum(0).tolist()
    return wrong, votes


def _share(wrong, votes):
    return f"{wrong / votes:.1%} of {votes:,}" if votes else "–"


def _shown(interval):
    return f"{interval.low:.1%} to {interval.high:.1%}" if interval else "–"


def _points(interval):
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}" if interval else "–"
