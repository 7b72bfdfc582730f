"""The command line of localdev; each command is a few lines that call the noun it is about."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable

from localdev.errors import LocaldevError
from localdev.testing import test_environment

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


def _env(options: argparse.Namespace) -> int:
    for name, value in test_environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _env_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("instance", choices=["test"])


COMMANDS: dict[str, tuple[Command, Callable[[argparse.ArgumentParser], None], str]] = {
    "env": (_env, _env_arguments, "print the environment of a test run, with its servers running"),
}
