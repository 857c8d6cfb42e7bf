"""Contact sheets for docs/: structures in every colouring, and ours beside PyMOL's.

    runs/bench/venv/bin/python benches/cartoon_sheet.py --structures DIR --out docs

Needs pillow, and PyMOL for the second sheet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).resolve().parent
ROWS = ["1ubq.pdb", "1dix.pdb", "AF-Q96HM7-F1-model_v4.pdb", "5ugo.cif"]
BESIDE = ["1aki.pdb", "3o5r.pdb", "1orc.pdb", "4gxy.pdb"]
COLOURS = ["secondary", "plddt", "rainbow", "chain"]


def render(args: argparse.Namespace, files: list[str], out: Path, size: int, *options: str) -> list[dict | None]:
    """What was drawn; confidence is drawn of predictions only."""
    structures = [args.structures / name for name in files]
    command = [args.program, "render", "protein", *structures, "--out", out, "--size", size, "--quiet", *options]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    pictures = [json.loads(line) for line in (out / "pictures.jsonl").read_text().splitlines()]
    by_name = {Path(picture["structure"]).name: picture for picture in pictures}
    return [by_name.get(name) for name in files]


def sheet(cells: list[list[Path]], heads: list[str], side: list[str], size: int, path: Path) -> None:
    font, left, top = ImageFont.load_default(13), 16, 22
    page = Image.new("RGB", (left + size * len(heads), top + size * len(side)), "white")
    draw = ImageDraw.Draw(page)
    for column, head in enumerate(heads):
        draw.text((left + size * column + size / 2, 11), head, "black", font, anchor="mm")
    for row, (pictures, name) in enumerate(zip(cells, side)):
        word = Image.new("L", (size, 16), 255)
        ImageDraw.Draw(word).text((size / 2, 8), name, 0, font, anchor="mm")
        page.paste(word.rotate(90, expand=True), (0, top + size * row))
        for column, picture in enumerate(pictures):
            if picture is None:
                continue
            page.paste(Image.open(picture).convert("RGB").resize((size, size)), (left + size * column, top + size * row))
    # Five bits a channel, white kept: a palette loses small patches of colour, and all eight make large files.
    page.point([min(255, (v + 4) // 8 * 8) if v < 252 else 255 for v in range(256)] * 3).save(path, optimize=True)
    print(path, path.stat().st_size // 1000, "kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=Path, required=True)
    parser.add_argument("--program", type=Path, default=HERE.parent / "target/release/geneverse")
    parser.add_argument("--pymol", default="pymol", help="the command that starts PyMOL; empty to leave it out")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        columns = [render(args, ROWS, scratch / c, 512, "--color", c) for c in COLOURS]
        place = lambda c, picture: scratch / c / picture["picture"] if picture else None
        cells = [[place(c, pictures[row]) for c, pictures in zip(COLOURS, columns)] for row in range(len(ROWS))]
        sheet(cells, COLOURS, [name.split("-F1")[0].split(".")[0] for name in ROWS], 208, args.out / "structures.png")
        if not args.pymol:
            return
        ours = render(args, BESIDE, scratch / "ours", 512)
        items = [{**p, "out": str(scratch / ("pymol_" + p["picture"]))} for p in ours]
        job = {"do": "draw", "size": 512, "outline": False, "items": items, "times": str(scratch / "times.json")}
        (scratch / "job.json").write_text(json.dumps(job))
        command = [*args.pymol.split(), "-cq", str(HERE / "cartoon_peer.py"), "--", str(scratch / "job.json")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows = [[scratch / "ours" / p["picture"] for p in ours], [Path(item["out"]) for item in items]]
        sheet(rows, [name.split(".")[0] for name in BESIDE], ["geneverse", "PyMOL"], 208, args.out / "beside_pymol.png")


if __name__ == "__main__":
    main()
