"""Reading feed files row by row: CSV, JSON Lines and XLSX, each plain or gzipped; every value is text."""

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import orjson
from python_calamine import CalamineWorkbook

ROW_MAX: Final = 1_048_576  # characters
XLSX_MAX: Final = 536_870_912  # bytes unpacked


class UnreadableFile(ValueError):
    """A file that is not what its name says; the message names the row."""


def rows(path: Path, encoding: str = "utf-8") -> Iterator[dict[str, str]]:
    """The rows of a file as column → text, streamed. Raises UnreadableFile."""
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1].lower()
    if kind == "csv":
        yield from _csv(path, encoding)
    elif kind in {"jsonl", "ndjson"}:
        yield from _json_lines(path)
    elif kind == "xlsx":
        yield from _xlsx(path)
    else:
        raise UnreadableFile(f"{path.name}: .{kind} is not read; give .csv, .jsonl or .xlsx, plain or .gz.")


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _csv(path: Path, encoding: str) -> Iterator[dict[str, str]]:
    csv.field_size_limit(ROW_MAX)
    with _open(path) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
        try:
            reader = csv.reader(text, strict=True)
            header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
            if len(set(header)) != len(header):
                raise UnreadableFile(f"{path.name}: two columns have the same name; rename one.")
            for cells in reader:
                if len(cells) != len(header):
                    raise UnreadableFile(
                        f"{path.name}: line {reader.line_num} has {len(cells)} cells, the header has {len(header)}."
                    )
                yield dict(zip(header, cells, strict=True))
        except (csv.Error, UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
            raise UnreadableFile(f"{path.name}: not readable as {encoding} CSV: {error}") from error


def _json_lines(path: Path) -> Iterator[dict[str, str]]:
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UnreadableFile(f"{path.name}: line {number} is not JSON: {error}") from error
            if not isinstance(found, dict):
                raise UnreadableFile(f"{path.name}: line {number} is not an object.")
            yield {name: _as_text(value) for name, value in found.items()}


def _xlsx(path: Path) -> Iterator[dict[str, str]]:
    content = _open(path).read() if path.suffix == ".gz" else path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > XLSX_MAX:
                raise UnreadableFile(f"{path.name}: unpacks to more than {XLSX_MAX} bytes; send it as CSV.")
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    except zipfile.BadZipFile as error:
        raise UnreadableFile(f"{path.name}: not an XLSX workbook.") from error
    lines = sheet.iter_rows()
    header = [_as_text(cell).strip() for cell in next(lines, [])]
    for cells in lines:
        yield dict(zip(header, (_as_text(cell) for cell in cells), strict=False))


def _as_text(value: object) -> str:
    """A cell as text; a spreadsheet's 12.0 is the 12 the person typed, 12.5 stays exactly that."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return str(value)
