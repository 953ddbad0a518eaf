"""Draws docs/pictures: what `imgopt suggest` prints for the demo, as an SVG (`make pictures`).

The lines are the program's own, in colour, as a terminal of 96 columns shows them. `picture()` gives the text of the file.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "fixtures" / "demo"
PICTURE = ROOT / "docs" / "pictures" / "suggest.svg"
COLUMNS = 96


def shown(svg: str) -> str:
    """The text of a picture, without its drawing, which a release of rich may do in another way."""
    rows = re.findall(r'<text class="imgopt-r\d+" x="[\d.]+" y="([\d.]+)"[^>]*>(.*?)</text>', svg)
    lines: dict[str, str] = {}
    for row, text in rows:
        lines[row] = lines.get(row, "") + html.unescape(text)
    return "\n".join(line.replace("\xa0", " ").rstrip() for line in lines.values())


def picture() -> str:
    """The SVG; the demo's jar is downloaded where it is not there yet."""
    subprocess.run([sys.executable, DEMO / "fetch.py", DEMO / "target" / "zipkin-server.jar"], check=True)
    # what libraries this machine has at home is nobody's business
    environment = {
        **os.environ,
        "FORCE_COLOR": "1",
        "COLUMNS": str(COLUMNS),
        "MAVEN_OPTS": "-Dmaven.repo.local=none",
    }
    environment.pop("NO_COLOR", None)
    output = subprocess.run(
        [sys.executable, "-m", "imgopt", "suggest"],
        cwd=DEMO,
        env=environment,
        check=True,
        capture_output=True,
    ).stdout.decode()
    console = Console(record=True, file=StringIO(), width=COLUMNS, force_terminal=True, highlight=False)
    console.print(Text.from_ansi("$ imgopt suggest\n" + output))
    svg = console.export_svg(title="imgopt suggest", unique_id="imgopt", font_aspect_ratio=0.61)
    svg = re.sub(
        r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL
    )  # from another site, which a page need not ask
    svg = svg.replace("Fira Code", "Menlo, Consolas, DejaVu Sans Mono")
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
