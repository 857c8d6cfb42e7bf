"""The lower row of `docs/tissue.png`: a whole section of 167,780 cells from `lab tissue`.

    cargo build --release
    runs/bench/venv/bin/pip install pillow
    runs/bench/venv/bin/python benches/tissue_sheet.py

The three pictures are drawn anew and laid over those of the sheet; the others on it, of real cells, stay as they are.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE, TOP = 224, 276
LEFTS = (8, 240, 472)
SHOWN = [
    ("MS4A1 · B Cells (marker), 167,780 cells", "B Cells", []),
    ("MS4A1 · T Cells", "T Cells", []),
    ("MS4A1 · B Cells (marker), --dark", "B Cells", ["--dark"]),
]


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", default="target/release/geneverse")
    words.add_argument("--out", type=Path, default=Path("runs/bench/tissue"))
    words.add_argument("--sheet", type=Path, default=Path("docs/tissue.png"))
    args = words.parse_args()
    lab = args.out / "lab"
    run(args.program, "lab", "tissue", "--cells", 167_780, "--genes", 313, "--out", lab, "--quiet")
    sheet = Image.open(args.sheet).convert("RGB")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.truetype("DejaVuSans.ttf", 11)
    for number, (left, (title, kind, options)) in enumerate(zip(LEFTS, SHOWN)):
        picture = args.out / f"{number}.png"
        what = ["--gene", "MS4A1", "--cell-type", kind, "--size", SIDE, "--out", picture, "--quiet"]
        run(args.program, "render", "spatial", lab, *what, *options)
        pen.rectangle([left - 1, TOP - 18, left + SIDE, TOP - 3], fill="white")
        pen.text((left, TOP - 17), title, fill="black", font=font)
        sheet.paste(Image.open(picture), (left, TOP))
    sheet.quantize(256, dither=Image.Dither.NONE).save(args.sheet, optimize=True)


if __name__ == "__main__":
    main()
