"""Flags and their help, error lines and exit codes, which all programs share."""

import logging
import os
import shlex
import signal
import sys
import textwrap
from collections.abc import Callable
from types import ModuleType

from absl import app, flags
from absl import logging as absl_logging

from sgan_tf.cli.interrupts import end_on_interrupt, interrupted, was_interrupted
from sgan_tf.errors import UserError

WIDTH = 100  # columns of --help
# Flags that hold a path; a leading ~ is replaced with the user's home.
PATHS = (
    *("run_dir", "data_dir", "export_dir", "config", "cache_dir", "out", "csv", "inception"),
    *("without_entropy", "encoder_from", "encoder", "encoder_weights", "model", "export", "votes"),
)


class UsageError(UserError):
    """An invalid flag, which the message names."""


def run(main: Callable[[], int | None], words: str | None = None) -> None:
    """Parses the flags, runs `main()` and exits. A user's error is one line and exit code 2.

    Args:
        main: Function without arguments, the program. It returns the exit code; None is 0.
        words: String. Name of a repeatable flag whose values may also follow as words without the
            flag. Defaults to None.
    """
    end_on_interrupt()
    absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS reports every file it opens
    _define_help(sys.modules[main.__module__])

    def parse(argv):
        try:
            rest = flags.FLAGS(argv)
            if words:
                flags.FLAGS[words].value = [*getattr(flags.FLAGS, words), *rest[1:]]
            elif len(rest) > 1:
                raise flags.Error(f"unexpected argument '{rest[1]}'")
        except flags.Error as error:
            _die(str(error).splitlines()[0] + "; --help lists the flags")
        for name in flags.FLAGS:
            if flags.FLAGS[name].value != flags.FLAGS[name].value:  # nan passes every bound
                _die(f"--{name}: nan is not a number")
        for name in PATHS:
            if name in flags.FLAGS and (path := flags.FLAGS[name].value):
                flags.FLAGS[name].value = os.path.expanduser(path)
        return rest

    app.run(lambda argv: sys.exit(_guarded(main)), flags_parser=parse)


def _guarded(main):
    try:
        code = main() or 0
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done, so the exit code is final
        return code
    except BaseException as error:
        if was_interrupted():
            interrupted()
        if isinstance(error, UserError):
            _die(error.for_flags())
        if isinstance(error, OSError):
            _die(f"{error.filename or 'input/output'}: {error.strerror or error}")
        raise


def _die(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _define_help(program):
    """Makes --help (and -h) print a program's docstring and flags, without those of absl."""

    class Help(flags.BooleanFlag):
        def parse(self, argument):
            print(help_text(program))
            sys.exit(0)

    app.define_help_flags()
    for name, short in ("help", "h"), ("helpshort", None):
        delattr(flags.FLAGS, name)
        flags.DEFINE_flag(Help(name, False, "show this help", short_name=short))


def help_text(program: ModuleType) -> str:
    """Returns the text of a program's --help.

    Args:
        program: Module of the program. Its `GROUPS`, if it has any, is a dictionary `{title: names
            of flags}`.

    Returns:
        String.
    """
    defined = flags.FLAGS.get_flags_for_module(program)
    adopted = [f for f in flags.FLAGS.get_key_flags_for_module(program) if f not in defined]
    groups, lines = getattr(program, "GROUPS", {}), [(program.__doc__ or "").strip(), ""]
    grouped = {name for names in groups.values() for name in names}
    rest = [flag.name for flag in [*adopted, *defined] if flag.name not in grouped]
    for title, names in {**groups, "flags": rest}.items():
        if names:
            lines += [f"{title}:", *(_flag_help(flags.FLAGS[name]) for name in names), ""]
    return "\n".join([*lines, "--helpfull lists the flags of absl too."])


def _flag_help(flag):
    switch = flag.boolean and not flag.name.startswith("no_")
    name = f"  --[no]{flag.name}" if switch else f"  --{flag.name}"
    # Without the texts that absl adds: an enum's values at the start, repetition at the end.
    text = " ".join(flag.help.split(";\n")[0].split()).split(">: ")[-1]
    if flag.default is None:
        needed = any(not validator.checker(None) for validator in flag.validators)
        text += " (required)" if needed else ""
    elif flag.default != []:
        text += f" (default: {str(flag.default).lower() if flag.boolean else flag.default})"
    indent = " " * 24
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"{name:23} ",
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def train_guarded(log: logging.Logger, signals: list[int], train: Callable[[], object]) -> int:
    """Runs a training and returns the program's exit code.

    Args:
        log: Logger for the outcome.
        signals: List of integers. The signals that were received; see `stop_signals`.
        train: Function without arguments.

    Returns:
        Integer. 0 if the training finished, 128 plus the signal's number if a signal stopped it,
        and 3 if it diverged.
    """
    from sgan_tf.training.trainer import Interrupted, TrainingDiverged

    try:
        train()
    except Interrupted as stop:
        log.info(
            "%s; to resume, run the same command again: %s",
            stop,
            shlex.join([sys.executable, *sys.argv]),
        )
        return 128 + (signals or [signal.SIGTERM])[0]  # or another worker received a signal
    except TrainingDiverged as error:
        log.error("%s", error)
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0
