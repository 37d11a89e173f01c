"""The visual Turing test: what is shown, what is kept, and what one client cannot do."""

import base64
import contextlib
import io
import json
import sqlite3
import sys

import numpy as np
import pytest
import requests
import tensorflow as tf
from PIL import Image
from processes import run
from served import error, post, served

from sgan_tf.data.datasets import ImageDataset, load_dataset
from sgan_tf.server import model as serving
from sgan_tf.server.refusal import Refused
from sgan_tf.server.servable import Servable, Source, Version
from sgan_tf.server.turing import votes
from sgan_tf.server.turing.examiner import Examiner
from sgan_tf.server.turing.pictures import Pictures, TuringError
from sgan_tf.server.turing.proportions import wilson
from sgan_tf.server.turing.trials import OpenTrials, Rate, Shown, Trial, client_of

TRIALS, STATE = "/turing/trials", "/turing/state"


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "votes.sqlite"


@pytest.fixture
def examiner(old, digits, kept):
    examiner = Examiner(old, digits, kept)
    examiner.open()
    return examiner


@pytest.fixture
def turing(old, examiner):
    """A server with the test, whose open trials can be looked into."""
    with served(old, examiner=examiner, grpc_port=None) as server:
        server.examiner = examiner
        yield server


def begin(server, **asked):
    answer = post(server, asked, TRIALS)
    assert answer.ok, answer.text
    return answer.json()


def truth_of(server, name):
    return [shown.real for shown in server.examiner.trials._trials[name].shown]


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM votes ORDER BY id")]


# A trial


def test_a_trial_is_answered_once_and_each_answer_is_a_row(turing, kept, digits):
    first = begin(turing)
    real = truth_of(turing, first["trial"])
    assert first["you"] == {"votes": 0, "wrong": 0, "error_rate": None, "interval": None}
    secret = json.dumps({k: v for k, v in first.items() if k != "images"})
    assert "real" not in secret and "class" not in secret
    generated = [place for place in range(9) if not real[place]]
    wrong_at = generated[0] if generated else 0  # one answer is wrong
    marked = sorted({*generated} ^ {wrong_at})
    path = f"{TRIALS}/{first['trial']}/votes"
    told = post(turing, {"generated": marked}, path).json()
    assert [image["real"] for image in told["truth"]] == real
    figures = {"votes": 9, "wrong": 1, "error_rate": 1 / 9, "interval": list(wilson(1, 9))}
    assert told["you"] == told["all"] == figures
    assert "no such trial" in error(post(turing, {"generated": []}, path), 404)

    second = begin(turing, session=first["session"])
    assert second["session"] == first["session"] and second["you"] == figures
    stranger = begin(turing)
    assert stranger["session"] != first["session"] and stranger["you"]["votes"] == 0
    state = requests.get(turing.url + STATE, timeout=60).json()
    assert state["all"] == figures and state["image_shape"] == [8, 8, 1]
    assert (state["model"], state["version"], state["dataset"]) == ("sgan", 1, "digits")

    found = rows(kept)
    assert [row["place"] for row in found] == list(range(9))
    assert {(row["trial"], row["session"]) for row in found} == {(first["trial"], first["session"])}
    assert {(row["model"], row["version"], row["dataset"]) for row in found} == {
        ("sgan", 1, "digits")
    }
    assert [bool(row["real"]) for row in found] == real
    assert [bool(row["called_real"]) for row in found] == [p not in marked for p in range(9)]
    assert [row["class_name"] for row in found] == [image["class"] for image in told["truth"]]
    assert all(0 <= row["milliseconds"] < 60_000 for row in found)
    for row in found:
        if row["real"]:
            assert row["class_name"] == str(digits.test_labels[row["source"]])


def test_images_are_what_their_rows_say_and_files_of_one_kind(turing, digits, signatures):
    trial = begin(turing)
    shown = turing.examiner.trials._trials[trial["trial"]].shown
    for content, about in zip(trial["images"], shown):
        content = base64.b64decode(content)
        assert [chunk for chunk in (b"tEXt", b"tIME", b"pHYs", b"eXIf") if chunk in content] == []
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (8, 8))
            pixels = np.asarray(image)
        if about.real:
            np.testing.assert_array_equal(pixels, digits.test_images[about.source][..., 0])
        else:
            inputs = {"labels": [int(about.class_name)], "seeds": [about.source]}
            inputs = {name: tf.constant(value, tf.int64) for name, value in inputs.items()}
            drawn = 255 * signatures["sample_seeded"](**inputs)["images"].numpy()[0, ..., 0]
            np.testing.assert_allclose(pixels, drawn, atol=0.51)


def test_half_is_real_and_classes_are_as_frequent_as_in_the_test_set(old, digits):
    often = digits.test_labels < 3
    dataset = ImageDataset(
        "uneven",
        digits.class_names,
        digits.train_images,
        digits.train_labels,
        digits.test_images[often],
        digits.test_labels[often],
    )
    pictures, rows_held = Pictures(old, dataset), old.rows.ticket()
    shown = [about for _ in range(60) for about in pictures.draw(rows_held)[1]]
    rows_held.release()
    real = np.array([about.real for about in shown])
    assert abs(real.mean() - 0.5) < 4.5 * 0.5 / len(shown) ** 0.5
    for kind in (real, ~real):
        classes = np.array([int(about.class_name) for about in shown])[kind]
        expected = np.bincount(dataset.test_labels, minlength=10) / len(dataset.test_labels)
        found = np.bincount(classes, minlength=10) / len(classes)
        np.testing.assert_allclose(found, expected, atol=4.5 * 0.5 / len(classes) ** 0.5)


# What cannot be


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        (TRIALS, b"", 400, "JSON Parse error"),
        (TRIALS, b"[]", 400, "no JSON object"),
        (TRIALS, b'{"seed": 1}', 400, "nothing but 'session'"),
        (TRIALS, b'{"session": null}', 400, "one that this server gave"),
        (TRIALS, b'{"session": "me"}', 400, "one that this server gave"),
        (TRIALS, b" " * 5000, 413, "at most 4,096 bytes"),
        (f"{TRIALS}/x/votes", b"{}", 400, "'generated' must be a list of whole numbers"),
        (f"{TRIALS}/x/votes", b'{"generated": [true]}', 400, "a list of whole numbers"),
        (f"{TRIALS}/x/votes", b'{"generated": [1.0]}', 400, "a list of whole numbers"),
        (f"{TRIALS}/x/votes", b'{"generated": [9]}', 400, "places from 0 to 8"),
        (f"{TRIALS}/x/votes", b'{"generated": [1, 1]}', 400, "different places"),
        (f"{TRIALS}/x/votes", b'{"generated": [], "session": ""}', 400, "but 'generated'"),
        (f"{TRIALS}/x/votes", b'{"generated": []}', 404, "no such trial"),
    ],
)
def test_what_cannot_be_is_one_clear_answer(shared, path, body, status, reason):
    shared.examiner.rate = Rate()
    assert reason in error(post(shared, body, path), status)
    assert shared.examiner.trials._trials == {}


@pytest.fixture(scope="module")
def shared(old, digits, tmp_path_factory):
    examiner = Examiner(old, digits, tmp_path_factory.mktemp("votes") / "votes.sqlite")
    examiner.open()
    with served(old, examiner=examiner, grpc_port=None) as server:
        server.examiner = examiner
        yield server


def test_one_client_begins_trials_at_a_steady_rate(turing):
    turing.examiner.rate = Rate(per_minute=1, burst=2)
    assert begin(turing) and begin(turing)
    answer = post(turing, {}, TRIALS)
    assert "ask again in 60 s" in error(answer, 429) and answer.headers["Retry-After"] == "60"


def test_a_page_of_another_origin_may_not_vote_and_the_page_runs_nothing_of_others(shared):
    answer = post(shared, {}, TRIALS, Origin="https://evil.example")
    assert "other origins" in error(answer, 403)
    error(requests.get(shared.url + TRIALS, timeout=60), 405)
    for path, kind in {"": "text/html", ".js": "text/javascript", ".css": "text/css"}.items():
        answer = requests.get(f"{shared.url}/turing{path}", timeout=60)
        assert answer.ok and answer.headers["Content-Type"].startswith(kind)
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        assert "http" not in answer.text.replace("https://www.w3.org", "")
        assert " style=" not in answer.text and " onclick" not in answer.text


def test_votes_that_cannot_be_written_leave_the_trial_open(turing, kept):
    trial = begin(turing)["trial"]
    with sqlite3.connect(kept) as connection:
        connection.execute("ALTER TABLE votes RENAME TO away")
    answer = post(turing, {"generated": []}, f"{TRIALS}/{trial}/votes")
    assert "file of votes" in error(answer, 503) and answer.headers["Retry-After"]
    with sqlite3.connect(kept) as connection:
        connection.execute("ALTER TABLE away RENAME TO votes")
    assert post(turing, {"generated": []}, f"{TRIALS}/{trial}/votes").ok
    assert len(rows(kept)) == 9


# Bounds


def trial(name, client="a", opened=0.0):
    return Trial(name, "s", client, 1, (Shown(True, "7", 0),), opened)


def test_trials_expire_and_are_bounded_in_all_and_of_one_client():
    now = 0.0
    trials = OpenTrials(most=4, most_each=2, seconds=60, clock=lambda: now)
    for name in "abc":
        trials.add(trial(name, "one"))
    assert len(trials) == 2
    with pytest.raises(Refused, match="no such trial"):
        trials.take("a")
    for name in "defg":
        trials.add(trial(name, name))
    assert len(trials) == 4
    assert trials.take("g").name == "g"
    now = 61.0
    with pytest.raises(Refused, match="too old"):
        trials.take("f")
    assert len(trials) == 0


def test_tokens_come_back_and_clients_are_forgotten_in_bounds():
    now = 0.0
    rate = Rate(per_minute=60, burst=2, most=3, clock=lambda: now)
    rate.take("a"), rate.take("a")
    with pytest.raises(Refused) as refused:
        rate.take("a")
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    rate.take("b")  # another's is its own
    now = 1.0
    rate.take("a")
    with pytest.raises(Refused):
        rate.take("a")
    now = 1e6
    rate.take("a"), rate.take("a")  # no more than the bucket holds
    with pytest.raises(Refused):
        rate.take("a")
    for number in range(100):
        rate.take(str(number))
    assert len(rate._buckets) == 3


def test_a_client_is_an_address_or_a_network_of_ipv6():
    assert client_of("192.0.2.7") == client_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert client_of("2001:db8::1") == client_of("2001:db8::ff:2") == "2001:db8::/64"
    assert client_of("fe80::1%eth0") == "fe80::/64" and client_of("") == ""


# What does not fit


def model_of(class_names, side=8, most=1024, signatures=("encode", "sample_seeded")):
    """A model whose signatures give nothing."""

    class Function:
        def __init__(self, inputs):
            self.structured_input_signature = (), inputs
            self.structured_outputs = {"images": tf.TensorSpec([None, side, side, 1])}

    ints = tf.TensorSpec([None], tf.int64)
    table = {
        "encode": Function({"images": tf.TensorSpec([None, side, side, 1])}),
        "sample_seeded": Function({"labels": ints, "seeds": ints}),
    }
    functions = {name: table[name] for name in signatures}
    servable = Servable(functions, max_batch=most, class_names=class_names)
    version = Version(None, lambda: servable)
    model = serving.Model(Source("mine", lambda: {1: version}))
    model.refresh()
    return model


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (dict(class_names=()), "`turing`: the classes of mine are not known"),
        (dict(class_names="ab", signatures=["encode"]), "`turing`: the classes of mine"),
        (
            dict(class_names=list("0123456789"), side=28),
            "`dataset`: images of digits have the size 8 x 8 x 1, those of mine 28 x 28 x 1",
        ),
        (
            dict(class_names=["cat", "dog"]),
            "`dataset`: the classes of digits are 0, 1, .* cat, dog",
        ),
        (dict(class_names=list("0123456789"), most=8), "`turing`: 9 images .* at most 8"),
    ],
)
def test_a_model_that_does_not_fit_is_named_and_no_file_is_made(digits, kept, model, reason):
    with pytest.raises(TuringError, match=reason):
        Examiner(model_of(**model), digits, kept).open()
    assert not kept.exists()


def test_labels_are_the_models_own_and_without_labels_they_are_none(digits):
    for names, expected in (("9876543210", list(range(9, -1, -1))), (["image"], [0] * 10)):
        model = model_of(list(names))
        with model.use("mine") as loaded:
            assert Pictures(model, digits)._labels_of(loaded).tolist() == expected


# Votes


def vote(number, **changes):
    default = votes.Vote(
        *("2026-01-01T00:00:00+00:00", "s", f"t{number}", 0, "sgan", 1, "digits"),
        *(True, "7", 3, False, 1200),
    )
    return default._replace(**changes)


def test_votes_are_all_written_or_none_and_survive_a_process_that_is_killed(kept):
    file = votes.Votes(kept)
    file.add([vote(0), vote(1)])
    with pytest.raises(votes.VotesError, match="`votes`: .* cannot be written"):
        file.add([vote(2), vote(1)])  # one of which is there
    assert [row["trial"] for row in rows(kept)] == ["t0", "t1"]
    killed = f"""
import os, pathlib
from sgan_tf.server.turing import votes
file = votes.Votes(pathlib.Path({str(kept)!r}))
file.add([votes.{vote(4, source=2**63 - 1)!r}])
os.kill(os.getpid(), 9)
"""
    run([sys.executable, "-c", killed], [], code=-9)  # another process, at the same time
    assert file.tally("sgan", 1, "digits") == (3, 3)
    assert file.tally("sgan", 1, "digits", "nobody") == (0, 0)
    file.close()
    assert [path.name for path in kept.parent.iterdir()] == ["votes.sqlite"]


def test_a_file_of_another_kind_is_refused_and_left_as_it_is(tmp_path):
    foreign, text, newer = (tmp_path / name for name in ("foreign.db", "notes.txt", "newer.sqlite"))
    with contextlib.closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE votes (id INTEGER)")
        connection.execute("PRAGMA journal_mode = WAL")
    text.write_text("to do")
    votes.Votes(newer).close()
    with contextlib.closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 2")
    reasons = {foreign: "no file of votes", text: "no file of votes", newer: "in format 2"}
    before = {path: path.read_bytes() for path in sorted(tmp_path.iterdir())}
    for path, reason in reasons.items():
        for opened in (votes.Votes, votes.counts, votes.as_csv):
            with pytest.raises(votes.VotesError, match=f"`votes`: .*{path.name}.*{reason}"):
                opened(path)
    assert {path: path.read_bytes() for path in sorted(tmp_path.iterdir())} == before
    with pytest.raises(votes.VotesError, match="is no file"):
        votes.Votes(tmp_path)
    with pytest.raises(votes.VotesError, match="cannot be written"):
        votes.Votes(tmp_path / "no" / "votes.sqlite")
    with pytest.raises(votes.VotesError, match="does not exist"):
        votes.counts(tmp_path / "none.sqlite")
