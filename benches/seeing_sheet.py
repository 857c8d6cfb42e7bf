"""`docs/seeing.png`: pictures of the quickstarts that see, with what their models answered, right and wrong.

    geneverse quickstart --task marker --with MARKERS --out marker-quickstart
    geneverse quickstart --task protein --out protein-quickstart
    runs/bench/venv/bin/pip install pillow
    runs/bench/venv/bin/python benches/seeing_sheet.py marker-quickstart protein-quickstart

Of each: two held-out questions answered right, and two answered wrong, where there are any; of markers also two of the dataset of
--with, one right and one wrong. The first of each in the file.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE, GAP, WORDS = 152, 10, 62


def picked(run: Path, split: str, right: int, wrong: int) -> list[tuple[Path, str, bool]]:
    found: dict[bool, list] = {True: [], False: []}
    file = run / f"finetuned/answers.{split}.jsonl"
    for line in file.read_text().splitlines() if file.exists() else []:
        row = json.loads(line)
        good = row["answer"] == row["reference"]
        # As the folder was named when the program ran, or absolute.
        places = [Path(row["image"]), run.parent / row["image"], run / row["image"]]
        found[good].append((next(place for place in places if place.exists()), row["answer"], good))
    return found[True][:right] + found[False][:wrong]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("markers", type=Path)
    words.add_argument("proteins", type=Path)
    words.add_argument("--sheet", type=Path, default=Path("docs/seeing.png"))
    args = words.parse_args()
    rows = [
        picked(args.markers, "held-out", 2, 2) + picked(args.markers, "with", 1, 1),
        picked(args.proteins, "held-out", 4, 2),
    ]
    width = max(map(len, rows)) * (SIDE + GAP) + GAP
    sheet = Image.new("RGB", (width, len(rows) * (SIDE + WORDS) + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype("DejaVuSans.ttf", 10)
    for number, row in enumerate(rows):
        top = GAP + number * (SIDE + WORDS)
        for place, (picture, answer, good) in enumerate(row):
            left = GAP + place * (SIDE + GAP)
            sheet.paste(Image.open(picture).convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST), (left, top))
            pen.rectangle([left - 2, top - 2, left + SIDE + 1, top + SIDE + 1], outline=(0, 114, 178) if good else (213, 94, 0), width=2)
            told = [("right: " if good else "wrong: ") + answer]
            lines = [line for text in told for line in textwrap.wrap(text, 27)]
            pen.multiline_text((left, top + SIDE + 3), "\n".join(lines[:4]), fill="black", font=font, spacing=1)
    sheet.quantize(256, dither=Image.Dither.NONE).save(args.sheet, optimize=True)


if __name__ == "__main__":
    main()
