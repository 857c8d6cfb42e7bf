"""`render protein` beside PyMOL, on the same files and from the same view: outlines, looks, speed.

    cargo build --release
    apt install pymol
    runs/bench/venv/bin/pip install numpy pillow
    runs/bench/venv/bin/python benches/cartoon.py --structures DIR

Outlines are compared twice: with the secondary structure that each program finds for the file, and with PyMOL's given
to both (`cartoon_peer.py` writes it as HELIX and SHEET records). Speed: both programs in turn, a process for one picture,
and many pictures in one process. Pictures of both beside each other, and where they differ, go to OUT/side.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
SIZE = 512
# Of Cα atoms alone PyMOL tells no helices and strands, and draws a thick tube. These are lent those of the same protein.
LIKE = {"1lzh.pdb.gz": "1aki.pdb"}
OUTLINE = ["--background", "transparent", "--flat-depth", "--shadowless"]


class Bench:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.out: Path = args.out.resolve()

    def ours(self, structures: list[Path], out: Path, *options: str) -> list[dict]:
        shutil.rmtree(out, ignore_errors=True)
        command = [self.args.program, "render", "protein", *structures, "--out", out, "--size", SIZE, "--quiet", *options]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
        return [json.loads(line) for line in (out / "pictures.jsonl").read_text().splitlines()]

    def pymol(self, job: dict) -> list[tuple[str, float]]:
        path = self.out / "job.json"
        job["times"] = str(self.out / "times.json")
        path.write_text(json.dumps(job))
        command = [*self.args.pymol.split(), "-cq", str(HERE / "cartoon_peer.py"), "--", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return json.loads(Path(job["times"]).read_text())

    def draw(self, pictures: list[dict], out: Path, outline: bool) -> list[tuple[str, float]]:
        out.mkdir(parents=True, exist_ok=True)
        items = [{"structure": p["structure"], "view": p["view"], "out": str(out / p["picture"])} for p in pictures]
        return self.pymol({"do": "draw", "size": SIZE, "outline": outline, "items": items})

    def overlap(self, name: str, structures: list[Path]) -> dict[str, float]:
        """The outlines' intersection over their union, by structure."""
        ours, theirs = self.out / f"{name}_ours", self.out / f"{name}_pymol"
        pictures = self.ours(structures, ours, *OUTLINE)
        self.draw(pictures, theirs, outline=True)
        side = self.out / "side" / name
        side.mkdir(parents=True, exist_ok=True)
        shares = {}
        for picture in pictures:
            images = [Image.open(folder / picture["picture"]).convert("RGBA") for folder in (ours, theirs)]
            a, b = (np.asarray(image)[..., 3] > 127 for image in images)
            if b.sum() == 0:
                continue  # PyMOL draws no cartoon of it.
            shares[Path(picture["structure"]).name] = float((a & b).sum() / (a | b).sum())
            where = np.full((SIZE, SIZE, 3), 255, np.uint8)
            where[a & b], where[a & ~b], where[b & ~a] = (200, 200, 200), (0, 0, 255), (255, 0, 0)
            sheet = Image.new("RGB", (3 * SIZE, SIZE), "white")
            for i, image in enumerate(images):
                sheet.paste(image, (i * SIZE, 0), image)
            sheet.paste(Image.fromarray(where), (2 * SIZE, 0))
            sheet.save(side / picture["picture"])
        return shares

    def dressed(self, structures: list[Path]) -> list[Path]:
        folder = self.out / "dressed"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        outs = [folder / (path.name.replace(".", "_") + ".pdb") for path in structures]
        items = [{"structure": str(path), "out": str(out)} for path, out in zip(structures, outs)]
        for item in items:
            like = LIKE.get(Path(item["structure"]).name)
            if like:
                item["like"] = str(self.args.structures / like)
        self.pymol({"do": "dress", "items": items})
        return outs

    def outlines(self) -> None:
        endings = (".pdb", ".ent", ".cif", ".pdb.gz", ".cif.gz")
        structures = sorted(path for path in self.args.structures.iterdir() if path.name.endswith(endings))
        readable = [Path(p["structure"]) for p in self.ours(structures, self.out / "all")]
        readable.sort(key=lambda path: path.name)
        own = self.overlap("own", readable)
        dressed = self.dressed(readable)
        same = self.overlap("same", dressed)
        print("| structure | overlap, same secondary structure | each its own |\n|---|---:|---:|")
        for path, dress in zip(readable, dressed):
            if path.name in own and dress.name in same:
                print(f"| {path.name} | {same[dress.name]:.3f} | {own[path.name]:.3f} |")

    def speed(self, structures: list[Path]) -> None:
        """Seconds, in turn: a process for one picture; a picture among many."""
        rows = []
        for path in structures:
            alone, many, theirs, inside = [], [], [], []
            copies = self.out / "copies"
            shutil.rmtree(copies, ignore_errors=True)
            copies.mkdir()
            for i in range(self.args.copies):
                shutil.copy(path, copies / f"c{i:03}_{path.name}")
            for _ in range(self.args.repeats):
                begun = time.perf_counter()
                pictures = self.ours([path], self.out / "one")
                alone.append(time.perf_counter() - begun)
                begun = time.perf_counter()
                self.ours([copies], self.out / "many")
                many.append((time.perf_counter() - begun) / self.args.copies)
                begun = time.perf_counter()
                times = self.draw(pictures, self.out / "one_pymol", outline=False)
                theirs.append(time.perf_counter() - begun)
                inside.append(times[0][1])
            a, m, t, i = map(statistics.median, (alone, many, theirs, inside))
            rows.append((path.name, pictures[0]["residues"], a, t, m, i))
        print("\n| structure | residues | process: ours | PyMOL | times | a picture: ours | PyMOL | times |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for name, residues, a, t, m, i in rows:
            print(f"| {name} | {residues} | {a:.3f} s | {t:.2f} s | {t / a:.0f} | {m * 1000:.1f} ms | {i:.2f} s | {i / m:.0f} |")
        print(f"\nload average {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, medians of {self.args.repeats}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=Path, required=True, help="a folder of PDB and mmCIF files")
    parser.add_argument("--program", type=Path, default=HERE.parent / "target/release/geneverse")
    parser.add_argument("--pymol", default="pymol", help="the command that starts PyMOL")
    parser.add_argument("--out", type=Path, default=HERE.parent / "runs/bench/cartoon")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--copies", type=int, default=100, help="pictures in one process")
    parser.add_argument("--time", nargs="*", default=["1ubq.pdb", "1dix.pdb", "O15552.cif"], help="files to time")
    parser.add_argument("--only", choices=["outlines", "speed"], help="one half of it; speed wants a quiet machine")
    args = parser.parse_args()
    bench = Bench(args)
    bench.out.mkdir(parents=True, exist_ok=True)
    if args.only != "speed":
        bench.outlines()
    if args.only != "outlines":
        bench.speed([args.structures / name for name in args.time])


if __name__ == "__main__":
    main()
