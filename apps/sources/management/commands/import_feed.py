"""Imports files of a source through its saved mappings, and says what became of every row."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from apps.masterdata.models import System
from apps.sources.feed_files import UnreadableFile
from apps.sources.feeds import FeedSummary, NoMapping, import_file, mappings_for
from apps.sources.mapping_functions import MappingError
from apps.sources.models import Mapping, Source
from apps.sources.presets import install

OPENING = "opening"


class Command(BaseCommand):
    help = "Read files of SOURCE through its mappings: every row ends as applied, duplicate, ignored or blocked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", help="code of the source, such as adventureworks")
        parser.add_argument("files", nargs="+", type=Path, help="CSV, JSON Lines or XLSX, plain or .gz")
        parser.add_argument("--mapping", help="only this mapping, whatever the file is called")
        parser.add_argument("--opening", type=Path, help="count what this file takes out, per code, as opening stock")
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        install(System, Source, Mapping)
        try:
            summaries = [self._import(mapping, path) for mapping, path in self._jobs(options)]
        except (NoMapping, UnreadableFile, MappingError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(orjson.dumps(_as_json(summaries), option=orjson.OPT_INDENT_2).decode())
        else:
            self._print(summaries)

    def _jobs(self, options: dict[str, Any]) -> list[tuple[Mapping, Path]]:
        """Which mapping reads which file, in the mappings' order: units before items before stock."""
        named = [(path, options["mapping"]) for path in options["files"]]
        if options["opening"]:
            named.append((options["opening"], OPENING))
        for path, _ in named:
            if not path.is_file():
                raise CommandError(f"{path} is not a file.")
        jobs = [(mapping, path) for path, name in named for mapping in mappings_for(options["source"], path, name)]
        return sorted(jobs, key=lambda job: job[0].position)

    def _import(self, mapping: Mapping, path: Path) -> FeedSummary:
        summary = import_file(mapping, path, _progress if sys.stderr.isatty() else None)
        if sys.stderr.isatty():
            sys.stderr.write("\n")
        return summary

    def _print(self, summaries: list[FeedSummary]) -> None:
        for summary in summaries:
            self.stdout.write(
                f"{summary.file} · {summary.mapping}: {summary.rows} rows = {summary.applied} applied"
                f" + {summary.duplicate} duplicate + {summary.ignored} ignored + {summary.blocked} blocked"
            )
            for sentence, count in summary.causes.most_common():
                self.stdout.write(f"    {count:>7}  {sentence}")


def _progress(name: str, rows: int) -> None:
    sys.stderr.write(f"\r{name}: {rows} rows")
    sys.stderr.flush()


def _as_json(summaries: list[FeedSummary]) -> dict[str, Any]:
    numbers = ("rows", "applied", "duplicate", "ignored", "blocked")
    return {
        **{name: sum(getattr(summary, name) for summary in summaries) for name in numbers},
        "runs": [
            {
                "file": summary.file,
                "mapping": summary.mapping,
                **{name: getattr(summary, name) for name in numbers},
                "causes": [{"sentence": text, "records": count} for text, count in summary.causes.most_common()],
            }
            for summary in summaries
        ],
    }
