"""`docs/tissue.png`: cells of a real section, and a whole section of 167,780 cells from `lab tissue`.

    cargo build --release
    runs/bench/venv/bin/pip install pillow
    runs/bench/venv/bin/python benches/tissue_sheet.py --counts counts.csv --cells cells.csv

Without --counts the upper row stays as it is, and the lower one is laid over the sheet's. The real cells on the sheet are of the
Xenium breast section, replicate 1, as phipsonlab/jazzPanda has them (1,705 cells, 20 genes).
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE = 224
LEFTS = (8, 240, 472, 704)
ROWS = (26, 276)
REAL = [
    ("VWF · Endothelial (marker)", ["VWF", "Endothelial"]),
    ("VWF · Tumor", ["VWF", "Tumor"]),
    ("EPCAM · DCIS (marker), --dark", ["EPCAM", "DCIS", "--dark"]),
    ("VWF · Endothelial, panels", ["VWF", "Endothelial", "--layout", "panels"]),
]
LAB = [
    ("MS4A1 · B Cells (marker), 167,780 cells", ["MS4A1", "B Cells"]),
    ("MS4A1 · T Cells", ["MS4A1", "T Cells"]),
    ("MS4A1 · B Cells (marker), --dark", ["MS4A1", "B Cells", "--dark"]),
    ("MS4A1 · B Cells (marker), panels", ["MS4A1", "B Cells", "--layout", "panels"]),
]


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", default="target/release/geneverse")
    words.add_argument("--out", type=Path, default=Path("runs/bench/tissue"))
    words.add_argument("--sheet", type=Path, default=Path("docs/tissue.png"))
    words.add_argument("--counts", type=Path)
    words.add_argument("--cells", type=Path)
    args = words.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    lab = args.out / "lab"
    run(args.program, "lab", "tissue", "--cells", 167_780, "--genes", 313, "--out", lab, "--quiet")
    rows = [(ROWS[1], [lab], LAB)]
    if args.counts:
        rows.append((ROWS[0], [args.counts, "--cells", args.cells, "--cell-types", args.cells], REAL))
    sheet = Image.open(args.sheet).convert("RGB")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.truetype("DejaVuSans.ttf", 11)
    for top, data, shown in rows:
        for left, (title, (gene, kind, *options)) in zip(LEFTS, shown):
            picture = args.out / "one.png"
            what = ["--gene", gene, "--cell-type", kind, "--size", SIDE, "--out", picture, "--quiet"]
            run(args.program, "render", "spatial", *data, *what, *options)
            pen.rectangle([left - 1, top - 18, left + SIDE, top - 3], fill="white")
            pen.text((left, top - 17), title, fill="black", font=font)
            sheet.paste(Image.open(picture), (left, top))
            picture.unlink()
    sheet.quantize(256, dither=Image.Dither.NONE).save(args.sheet, optimize=True)


if __name__ == "__main__":
    main()
