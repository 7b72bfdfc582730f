"""The command line of localdev; each command is a few lines that call the noun it is about."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable

from localdev.chromium import HOW_TO, ensure_chromium
from localdev.demo_control import run_demo, start_detached, stop_all
from localdev.errors import LocaldevError
from localdev.test_run import run_tests, run_with_servers
from localdev.testing import environment_of

Command = Callable[[argparse.Namespace], int]


def main(arguments: list[str]) -> int:
    """Run one command; a LocaldevError is a sentence on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m localdev", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (run, add_arguments, help_text) in COMMANDS.items():
        command = commands.add_parser(name, help=help_text)
        add_arguments(command)
        command.set_defaults(run=run)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except LocaldevError as error:
        print(error, file=sys.stderr)
        return 1


def _demo(options: argparse.Namespace) -> int:
    start = start_detached if options.detach else run_demo
    return start("empty" if options.empty else "demo", options.port)


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detach", action="store_true", help="return once the demo is ready and leave it running")
    parser.add_argument("--empty", action="store_true", help="no sample data, on a database of its own")
    parser.add_argument("--port", type=_port, help="where the console listens (8000, or the next free one)")


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"PORT={text} is not a port: give a number from 1 to 65535")
    return int(text)


def _stop(options: argparse.Namespace) -> int:
    return stop_all()


def _test(options: argparse.Namespace) -> int:
    return run_tests(options.pytest_arguments)


def _test_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pytest_arguments", nargs="*", help="passed on to pytest (after --)")


def _env(options: argparse.Namespace) -> int:
    for name, value in environment_of(options.instance).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _env_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("instance", choices=["test"])


def _with_env(options: argparse.Namespace) -> int:
    return run_with_servers(options.instance, options.program)


def _with_env_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("instance", choices=["test", "bench"], help="bench writes durably, on a cluster of its own")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the program and its arguments")


def _chromium(options: argparse.Namespace) -> int:
    found = ensure_chromium()
    if found is None:
        raise LocaldevError(HOW_TO)
    print(found)
    return 0


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    return


COMMANDS: dict[str, tuple[Command, Callable[[argparse.ArgumentParser], None], str]] = {
    "demo": (_demo, _demo_arguments, "run the demo until Ctrl-C"),
    "stop": (_stop, _no_arguments, "end the demo and the test servers nobody uses"),
    "test": (_test, _test_arguments, "run pytest with everything it needs"),
    "env": (_env, _env_arguments, "print the environment of a test run, with its servers running"),
    "with-env": (_with_env, _with_env_arguments, "run a program in the environment of a test run"),
    "chromium": (_chromium, _no_arguments, "find or get a Chromium and print its path"),
}
