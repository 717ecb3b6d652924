"""Runs the demo and draws what it says as docs/demo.svg: `python scripts/draw_demo.py`."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI as COLOURS
from rich.text import Text

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "demo.svg"
COLUMNS, CHARACTER, LINE, MARGIN = 112, 7.8, 18, 16
#: What follows names folders of the machine.
END = "Left for you to look at"
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">
<title>What outpatrol demo prints</title>
<rect width="100%" height="100%" rx="8" fill="#191919"/>
<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13" fill="#d4d4d4" xml:space="preserve">
"""


def main() -> None:
    lines = list(said())
    width, height = 2 * MARGIN + COLUMNS * CHARACTER, 2 * MARGIN + LINE * len(lines)
    drawn = "".join(map(line, range(len(lines)), lines))
    PICTURE.write_text(f"{HEAD.format(width=width, height=height)}{drawn}</g>\n</svg>\n")


def said() -> Iterator[Text]:
    """The lines of the demo, with their colours, up to the names of folders."""
    terminal = {
        "PATH": os.defpath,
        "PYTHONPATH": str(PICTURE.parents[1]),
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
    }
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "worker.cli", "demo", "--keep", directory]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=terminal)
    yield Text("$ outpatrol demo", "bold")
    for text in map(Text.from_ansi, done.stdout.splitlines()):
        if text.plain.startswith(END):
            return
        yield text


def line(number: int, text: Text) -> str:
    text.rstrip()
    if not text.plain:
        return ""
    ends = sorted({0, len(text), *(end for span in text.spans for end in (span.start, span.end) if end <= len(text))})
    parts = "".join(part(text, start, end) for start, end in pairwise(ends))
    # Its length is told, so that columns stand in line in whatever font there is.
    length, y = f"{text.cell_len * CHARACTER:.0f}", MARGIN + LINE * number + 13
    return f'<text x="{MARGIN}" y="{y}" textLength="{length}">{parts}</text>\n'


def part(text: Text, start: int, end: int) -> str:
    style = Style.combine([Style.parse(str(text.style)), *styles(text, start)])
    wanted = []
    if style.color:
        wanted.append(f'fill="{style.color.get_truecolor(COLOURS).hex}"')
    if style.bold:
        wanted.append('font-weight="bold"')
    if style.dim:
        wanted.append('fill-opacity="0.6"')
    shown = escape(text.plain[start:end])
    return f"<tspan {' '.join(wanted)}>{shown}</tspan>" if wanted else shown


def styles(text: Text, place: int) -> list[Style]:
    return [Style.parse(str(span.style)) for span in text.spans if span.start <= place < span.end]


if __name__ == "__main__":
    main()
