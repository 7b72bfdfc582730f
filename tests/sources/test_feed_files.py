"""Feed files are read as text, row by row, and say where they cannot be."""

import gzip
from pathlib import Path

import openpyxl
import pytest

from apps.sources.feed_files import UnreadableFile, rows


def test_csv_plain_and_gzipped_are_the_same(tmp_path: Path) -> None:
    text = 'Code,Name\n007,"A, b"\n'
    (tmp_path / "a.csv").write_text("\ufeff" + text)
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write(text)
    expected = [{"Code": "007", "Name": "A, b"}]
    assert list(rows(tmp_path / "a.csv")) == expected
    assert list(rows(tmp_path / "a.csv.gz")) == expected


def test_json_lines_keep_numbers_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"q": 12, "s": "007", "n": null}\n\n{"q": 1}\n')
    assert list(rows(tmp_path / "a.jsonl")) == [{"q": "12", "s": "007", "n": ""}, {"q": "1"}]


def test_xlsx_numbers_are_what_the_person_typed(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Code", "Quantity"])
    book.active.append(["007", 12])
    book.active.append(["B", 12.5])
    book.save(tmp_path / "a.xlsx")
    assert list(rows(tmp_path / "a.xlsx")) == [{"Code": "007", "Quantity": "12"}, {"Code": "B", "Quantity": "12.5"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"A,B\n1\n", "line 2 has 1 cells"),
        ("a.csv", b"A,A\n1,2\n", "same name"),
        ("a.csv", b"A\n\xff\xfe\n", "not readable as utf-8"),
        ("a.csv.gz", b"plain", "not readable"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "line 2 is not an object"),
        ("a.xlsx", b"plain", "not an XLSX"),
        ("a.pdf", b"", "is not read"),
    ],
)
def test_an_unreadable_file_says_where(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFile, match=message):
        list(rows(tmp_path / name))
