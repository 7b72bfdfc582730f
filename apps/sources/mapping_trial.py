"""Runs a mapping's rules on one row, in a process of its own that the parent may kill: reads JSON on stdin."""

import sys

import orjson

from apps.sources.mapping import Rules, Translator
from apps.sources.mapping_functions import MappingError


def main() -> int:
    job = orjson.loads(sys.stdin.buffer.read())
    try:
        translator = Translator(Rules(**job["rules"]))
        if translator.takes(job["row"]):
            translator.data()
            translator.envelope()
    except MappingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
