"""The figures as a table: for the terminal, and between two marks in the READMEs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import Figure
from tests.harness import ROOT

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def say(*words: object, sep: str = " ") -> None:
    """Words for the person at the terminal."""
    sys.stdout.write(sep.join(map(str, words)) + "\n")
    sys.stdout.flush()


def table(figures: Sequence[Figure]) -> str:
    """For the terminal."""
    lines = []
    for figure in figures:
        mark = " " if figure.floor is None else ("ok" if figure.holds else "BELOW")
        lines.append(f"{figure.name:<5} {mark:<6}{figure.shown}   [{figure.floor_shown}]")
        lines.append(f"            {figure.what_en}")
    return "\n".join(lines)


def markdown(figures: Sequence[Figure], *, chinese: bool) -> str:
    """For a README."""
    head = ("测量项", "结果", "底线") if chinese else ("what", "measured", "floor")
    lines = [f"| {' | '.join(head)} |", "| --- | --- | --- |"]
    for figure in sorted(figures, key=_number):
        what = figure.what_zh if chinese else figure.what_en
        lines.append(f"| {what} | {figure.shown} | {figure.floor_shown} |")
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    cores = os.cpu_count()
    if chinese:
        lines.append(f"\n{when}，{cores} 核共享机器；各轮中位数（括号内为范围）。")
    else:
        lines.append(f"\n{when}, a shared machine with {cores} cores; median of rounds (range).")
    return "\n".join(lines)


def _number(figure: Figure) -> tuple[int, str]:
    digits = "".join(letter for letter in figure.name if letter.isdigit())
    return int(digits), figure.name


def write(figures: Sequence[Figure], root: Path = ROOT) -> None:
    """Put the table between the marks of both READMEs."""
    for name, chinese in (("README.md", False), ("README.zh-CN.md", True)):
        path = root / name
        text = path.read_text(encoding="utf-8")
        path.write_text(between(text, markdown(figures, chinese=chinese)), encoding="utf-8")


def between(text: str, new: str) -> str:
    """`text` with what stands between the marks replaced. Raises `ValueError` without marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the marks {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n{new}\n{END}{after}"
