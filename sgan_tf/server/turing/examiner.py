"""`Examiner`: the visual Turing test of what a server serves, without HTTP."""

import datetime
import os
from collections.abc import Set

from sgan_tf.data.datasets import ImageDataset
from sgan_tf.server.model import Model, Ticket
from sgan_tf.server.turing.pictures import Pictures
from sgan_tf.server.turing.proportions import wilson
from sgan_tf.server.turing.trials import OpenTrials, Rate, Trial, token
from sgan_tf.server.turing.votes import Vote, Votes


class Examiner:
    """Shows trials, marks the answers and keeps them.

    `rate` and `trials` are used by one thread, that of the server's event loop; the methods may be
    called by any.

    Args:
        model: What generates.
        dataset: What is real.
        votes: The file where answers are kept, of `Votes`.

    Attributes:
        pictures: What draws images, `Pictures`.
        rate: How fast one client may begin trials, `Rate`.
        trials: Those without an answer, `OpenTrials`.
    """

    def __init__(self, model: Model, dataset: ImageDataset, votes: str | os.PathLike) -> None:
        self.model, self.pictures, self._path = model, Pictures(model, dataset), votes
        self.rate, self.trials = Rate(), OpenTrials()
        self._votes: Votes | None = None

    def open(self) -> None:
        """Opens the file of votes, which is made only once the model that is loaded fits.

        Raises:
            TuringError: when the model does not fit the data set.
            VotesError: as `Votes` does.
        """
        self.pictures.check()
        self._votes = Votes(self._path)

    def draw(self, client: str, session: str, rows: Ticket) -> tuple[Trial, list[bytes]]:
        """Returns a trial, which is not open yet, and its images as PNG files.

        Args:
            client, session: Whose trial it is.
            rows: Of the request.

        Raises:
            Refused, TuringError: as `Pictures.draw` does.
        """
        version, shown, images = self.pictures.draw(rows)
        trial = Trial(token(), session, client, version, shown, self.trials.clock())
        return trial, images

    def record(self, trial: Trial, generated: Set[int]) -> None:
        """Keeps the answer to a trial.

        Args:
            trial: Which is not open any more.
            generated: Places of the images that were called generated.

        Raises:
            VotesError: when it cannot be written.
        """
        assert self._votes is not None  # `open` comes first
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        milliseconds = round(1000 * (self.trials.clock() - trial.opened))
        self._votes.add(
            [
                Vote(
                    *(now, trial.session, trial.name, place),
                    *(self.model.name, trial.version, self.pictures.dataset),
                    *(shown.real, shown.class_name, shown.source),
                    *(place not in generated, milliseconds),
                )
                for place, shown in enumerate(trial.shown)
            ]
        )

    def figures(self, version: int, session: str | None = None) -> dict:
        """Returns what is known of a version by its votes, as plain values.

        Args:
            version: Of the model.
            session: Whose votes are counted; None for all.

        Returns:
            `votes`, and how many of them are `wrong`; `error_rate` and its 95 % `interval`, None
            without votes.

        Raises:
            VotesError: when they cannot be read.
        """
        assert self._votes is not None
        votes, wrong = self._votes.tally(self.model.name, version, self.pictures.dataset, session)
        known = (wrong / votes, list(wilson(wrong, votes))) if votes else (None, None)
        return {"votes": votes, "wrong": wrong, **dict(zip(("error_rate", "interval"), known))}

    def close(self) -> None:
        """Closes the file of votes, where it is open."""
        if self._votes:
            self._votes.close()
