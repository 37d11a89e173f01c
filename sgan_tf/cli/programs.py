"""Starts the programs. Ctrl-C ends them with one line, even while their modules are imported."""

import functools
import importlib

from sgan_tf.cli.interrupts import end_on_interrupt


def _run(name):
    end_on_interrupt()
    importlib.import_module(f"sgan_tf.cli.{name}").main()


train = functools.partial(_run, "train")
evaluate = functools.partial(_run, "evaluate")
sample = functools.partial(_run, "sample")
inspection = functools.partial(_run, "inspection")
figures = functools.partial(_run, "figures")
ablations = functools.partial(_run, "ablations")
export = functools.partial(_run, "export")
client = functools.partial(_run, "client")
serve = functools.partial(_run, "serve")
turing = functools.partial(_run, "turing")
demo = functools.partial(_run, "demo")
