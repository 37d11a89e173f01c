"""What the newcomer of `newcomer.py` tries with programs that serve."""

import socket

from newcomer_material import Case

taken = None  # the socket of a port that is in use


def wrong_servers(place, run):
    """Models that cannot be served, and places where nothing can be."""
    global taken
    taken = taken or socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    half = place / "half" / "1"
    half.mkdir(parents=True)
    (half / "saved_model.pb").write_bytes(b"half")
    turing = ["--model", run, "--port", "0", "--turing"]
    rows = {
        "no model": ([], "model"),
        "a model that is not there": (["--model", place / "nowhere"], "--model.*nowhere"),
        "an empty folder as a model": (["--model", place / "nothing"], "--model.*nothing"),
        "half an export": (["--model", half.parent, "--port", "0"], "half"),
        "an unfinished run as a model": (
            ["--model", place / "unfinished", "--port", "0"],
            "unfinished.*not finished",
        ),
        "a port in use": (["--model", run, "--port", port], f"--port.*{port}"),
        "a port in use for gRPC": (
            ["--model", run, "--port", "0", "--grpc_port", port],
            f"--grpc_port.*{port}",
        ),
        "a port that is none": (["--model", run, "--port", "70000"], "port"),
        "a name with a slash, to serve": (["--model", run, "--name", "a/b"], "--name.*a/b"),
        "no rows at a time": (["--model", run, "--max_rows", "0"], "max_rows"),
        "a time that is no number": (["--model", run, "--poll", "nan"], "--poll.*nan"),
        "an origin without https": (["--model", run, "--cors", "example.org"], "--cors.*example"),
        "a Turing test against nothing": (
            ["--model", run, "--turing"],
            "--turing.*--dataset.*digits",
        ),
        "a data set to serve": (["--model", run, "--dataset", "digits"], "--dataset.*--turing"),
        "a Turing test against images that are not there": (
            [*turing, "--dataset", "svhn", "--data_dir", place / "nothing"],
            "--dataset svhn.*not prepared.*--download",
        ),
        "votes into another file": (
            [*turing, "--dataset", "digits", "--votes", half / "saved_model.pb"],
            "--votes.*saved_model.pb is no file of votes",
        ),
    }
    for title, (arguments, names) in rows.items():
        yield Case(title, "serve", arguments, names, (run, half))
    missing = ["--votes", place / "nowhere.sqlite"]
    yield Case("votes that are not there", "turing", missing, "--votes.*nowhere.sqlite")
    rows = {
        "a page of no model": (["--model", place / "nowhere"], "--model.*nowhere"),
        "a page at a port in use": (["--model", run, "--port", port], f"--port.*{port}"),
        "a page of a server without a name": (["--backend", "localhost:1"], "--name"),
        "a page of no server": (["--backend", "localhost:1", "--name", "x"], "--backend.*:1"),
        "a page of a server of no protocol": (["--backend", "ftp://x", "--name", "x"], "--backend"),
        "a page of two models": (["--backend", "localhost:1", "--model", run], "--backend"),
    }
    for title, (arguments, names) in rows.items():
        yield Case(title, "demo", [*arguments, "--no_browser"], names, (run,))
