"""`Examiner`: the visual Turing test of the served model, without HTTP."""

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
    """Draws trials, scores the answers and stores them.

    Only the thread of the server's event loop uses `rate` and `trials`. Any thread may call the
    methods.

    Args:
        model: `Model`. The model that generates images.
        dataset: `ImageDataset`. The real images.
        votes: String or path. The file of `Votes` in which answers are stored.

    Attributes:
        pictures: `Pictures`. It draws the images.
        rate: `Rate`. It limits how fast one client may start trials.
        trials: `OpenTrials`. The trials without an answer.
    """

    def __init__(self, model: Model, dataset: ImageDataset, votes: str | os.PathLike) -> None:
        self.model, self.pictures, self._path = model, Pictures(model, dataset), votes
        self.rate, self.trials = Rate(), OpenTrials()
        self._votes: Votes | None = None

    def open(self) -> None:
        """Checks that the loaded model fits the data set, and then opens the file of votes.

        Raises:
            TuringError: If the model does not fit the data set.
            VotesError: See `Votes`.
        """
        self.pictures.check()
        self._votes = Votes(self._path)

    def draw(self, client: str, session: str, rows: Ticket) -> tuple[Trial, list[bytes]]:
        """Draws a trial, which is not added to `trials` yet.

        Args:
            client: String. The client that requests the trial; see `client_of`.
            session: String. The session of the person who sees the trial, a `token`.
            rows: `Ticket`. The rows of the request.

        Returns:
            `(trial, images)`: the `Trial`, and a list of its images as the bytes of PNG files.

        Raises:
            Refused: See `Pictures.draw`.
            TuringError: See `Pictures.draw`.
        """
        version, shown, images = self.pictures.draw(rows)
        trial = Trial(token(), session, client, version, shown, self.trials.clock())
        return trial, images

    def record(self, trial: Trial, generated: Set[int]) -> None:
        """Stores the answer to a trial.

        Args:
            trial: `Trial`. The trial, which is no longer open.
            generated: Set of integers. Places of the images that the person called generated,
                from 0.

        Raises:
            VotesError: If the answer cannot be written.
        """
        assert self._votes is not None  # `open` must be called first
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
        """Computes the error rate of the votes on a version.

        Args:
            version: Integer. The version of the model.
            session: String or None. The session whose votes are counted. Defaults to None, all
                sessions.

        Returns:
            Dict of plain values: `votes`, the number of votes; `wrong`, the number of wrong votes;
            `error_rate`, and its 95 % `interval`, a list. The last two are None without votes.

        Raises:
            VotesError: If the votes cannot be read.
        """
        assert self._votes is not None
        votes, wrong = self._votes.tally(self.model.name, version, self.pictures.dataset, session)
        known = (wrong / votes, list(wilson(wrong, votes))) if votes else (None, None)
        return {"votes": votes, "wrong": wrong, **dict(zip(("error_rate", "interval"), known))}

    def close(self) -> None:
        """Closes the file of votes if it is open."""
        if self._votes:
            self._votes.close()
