"""Look at a stack in the browser: what each level holds, and what it reads in an image.

sgan-demo                                             # the stack of digits that comes along
sgan-demo --model runs/mnist                          # a run, an export, or a name, as sgan-serve
sgan-demo --backend http://host:8501 --name mnist     # a model that TF Serving has elsewhere
sgan-demo --turing --dataset digits                   # which images are real, which generated?

The page and the model are served on this machine alone (extra: serve); Ctrl-C ends both.
"""

import threading
import webbrowser

from absl import flags

from sgan_tf.cli import app, serve, turing_flags

FLAGS = flags.FLAGS
ROWS = 4096  # most rows that are processed at a time


def define_flags() -> None:
    flags.DEFINE_string("model", "digits", "what sgan-serve takes")
    flags.DEFINE_string(
        "backend",
        None,
        "URL of a server that has the model, TF Serving for one; in place of --model",
    )
    flags.DEFINE_string("name", None, "of the model; with --backend its name there")
    flags.DEFINE_integer("port", 8501, "to listen on; 0 for any", lower_bound=0, upper_bound=65_535)
    flags.DEFINE_boolean("no_browser", False, "print the address, and open no browser")
    turing_flags.define_flags()
    flags.adopt_module_key_flags(turing_flags)


def demo() -> None:
    turing_flags.check_flags()
    server = serve.open_server(
        _source(), FLAGS.name, ROWS, None, {"port": FLAGS.port, "page": True}
    )
    threading.Thread(target=_show, args=[server], daemon=True).start()
    server.run()


def _source():
    if FLAGS.backend is None:
        from sgan_tf.server.servable import open_source

        alike = FLAGS.turing and not FLAGS["model"].present  # the stack with the data set's name
        return open_source(FLAGS.dataset if alike else FLAGS.model)
    if FLAGS["model"].present:
        raise app.UsageError("--backend: it has a model already; leave --model or --backend out")
    if FLAGS.name is None:
        raise app.UsageError("--name: give the name that the model has at --backend, as mnist")
    with serve.extra():
        from sgan_tf.server.remote import open_remote
    return open_remote(FLAGS.backend, FLAGS.name)


def _show(server):
    server.started.wait()
    url = server.url + ("/turing" if FLAGS.turing else "")
    opened = not FLAGS.no_browser and webbrowser.open(url)
    where = "is open in the browser" if opened else f"is at {url}; open it in a browser"
    print(f"{server.model.name} {where}. Ctrl-C ends it.", flush=True)


def main() -> None:
    define_flags()
    app.run(demo)


if __name__ == "__main__":
    main()
