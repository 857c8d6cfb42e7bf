"""`render spatial` beside scanpy, on a simulated section of 167,780 cells and 313 genes in Xenium's form.

    cargo build --release
    runs/bench/venv/bin/pip install scanpy pyarrow matplotlib
    runs/bench/venv/bin/python benches/tissue.py

Reading: the matrix (HDF5), places (Parquet) and types (gzip text) to counts by gene. Both in turn, the whole process and
the reading alone; the fastest of --repeats, since what else runs on the machine only adds. Drawing: 64 pictures of two
panels, per picture; scanpy draws the same two panels through matplotlib. The processor's seconds are told too.

Markers: `analyze markers` and scanpy's `rank_genes_groups` (Wilcoxon) after `normalize_total` and `log1p`, both with reading
and from start to end, once.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

CELLS, GENES, TYPES, PICTURES = 167_780, 313, 20, 64

PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd, scanpy as sc
folder, drawn = sys.argv[1], int(sys.argv[2])
begun, used = time.perf_counter(), time.process_time()
a = sc.read_10x_h5(folder + "/cell_feature_matrix.h5")
cells = pd.read_parquet(folder + "/cells.parquet").set_index("cell_id")
a.obsm["spatial"] = cells.loc[a.obs_names, ["x_centroid", "y_centroid"]].to_numpy()
types = pd.read_csv(folder + "/types.csv.gz", index_col=0)
a.obs["type"] = types.Cluster.reindex(a.obs_names).astype("category")
a.X = a.X.tocsc()
read = time.perf_counter() - begun, time.process_time() - used
import matplotlib
matplotlib.use("agg")
begun = time.perf_counter()
for gene in range(drawn):
    axes = sc.pl.embedding(a, basis="spatial", color=[f"GENE{gene}", "type"], groups=["type 1"], show=False)
    axes[0].figure.savefig(folder + "/peer.png", dpi=50)
    matplotlib.pyplot.close(axes[0].figure)
print(json.dumps({"read": read[0], "processor": read[1], "picture": (time.perf_counter() - begun) / drawn}))
"""


def make(folder: Path) -> None:
    import h5py
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp
    from scipy.spatial import cKDTree

    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    centres, kinds = rng.random((80, 2)), np.arange(80) % TYPES
    places = rng.random((CELLS, 2))
    own = kinds[cKDTree(centres).query(places)[1]]
    types = np.where(rng.random(CELLS) < 0.75, own, rng.integers(0, TYPES, CELLS))
    rates = rng.gamma(0.35, 0.6, (TYPES, GENES)) + 0.05
    for kind in range(TYPES):
        rates[kind, kind * 10 : kind * 10 + 10] += 4
    parts = [sp.csr_matrix(rng.poisson(rates[types[s : s + 20_000]]).astype(np.int32)) for s in range(0, CELLS, 20_000)]
    counts = sp.vstack(parts).tocsr()
    ids = [f"{cell:08x}-1" for cell in range(CELLS)]
    with h5py.File(folder / "cell_feature_matrix.h5", "w") as file:
        matrix, packed = file.create_group("matrix"), {"compression": "gzip", "shuffle": True}
        matrix.create_dataset("barcodes", data=np.array(ids, "S"), **packed)
        matrix.create_dataset("data", data=counts.data, chunks=(80_000,), **packed)
        matrix.create_dataset("indices", data=counts.indices.astype(np.int64), chunks=(80_000,), **packed)
        matrix.create_dataset("indptr", data=counts.indptr.astype(np.int64), **packed)
        matrix.create_dataset("shape", data=np.array([GENES, CELLS], np.int32))
        features = matrix.create_group("features")
        for name, values in {
            "id": [f"ENSG{gene:011d}" for gene in range(GENES)],
            "name": [f"GENE{gene}" for gene in range(GENES)],
            "feature_type": ["Gene Expression"] * GENES,
            "genome": ["Unknown"] * GENES,
        }.items():
            features.create_dataset(name, data=np.array(values, "S"))
    table = {"cell_id": ids, "x_centroid": places[:, 0] * 7500, "y_centroid": places[:, 1] * 5500}
    pd.DataFrame(table | {"cell_area": rng.random(CELLS)}).to_parquet(folder / "cells.parquet")
    names = [f"type {kind}" for kind in types]
    pd.DataFrame({"Barcode": ids, "Cluster": names}).to_csv(folder / "types.csv.gz", index=False)


RANK = """
import sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd, scanpy as sc
folder = sys.argv[1]
a = sc.read_10x_h5(folder + "/cell_feature_matrix.h5")
types = pd.read_csv(folder + "/types.csv.gz", index_col=0)
a.obs["type"] = types.Cluster.reindex(a.obs_names).astype("category")
sc.pp.normalize_total(a)
sc.pp.log1p(a)
sc.tl.rank_genes_groups(a, "type", method="wilcoxon", pts=True)
"""


def timed(command: list) -> tuple[float, float, str]:
    """Seconds from start to end, seconds of the processor, and what was printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    told = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, told.stdout


def markers(program: str, folder: Path, peer: bool) -> dict[str, tuple[float, float]]:
    out = folder / "markers.csv"
    for path in (out, folder / "markers.csv.manifest.json"):
        path.unlink(missing_ok=True)
    command = [program, "analyze", "markers", "--tissue", folder, "--cell-types", folder / "types.csv.gz", "--all"]
    runs = {"Geneverse": timed([*command, "--out", out, "--quiet"])[:2]}
    if peer:
        runs["scanpy"] = timed([sys.executable, "-c", RANK, folder])[:2]
    return runs


def ours(program: str, folder: Path, size: int) -> dict:
    out = folder / "pictures"
    shutil.rmtree(out, ignore_errors=True)
    genes = ",".join(f"GENE{gene}" for gene in range(PICTURES))
    command = [program, "render", "spatial", folder, "--cell-types", folder / "types.csv.gz", "--gene", genes]
    command += ["--cell-type", "type 1", "--size", size, "--out", out, "--json", "--quiet"]
    wall, used, told = timed(command)
    report = json.loads(told)
    return {
        "read": report["seconds_reading"],
        "picture": report["seconds_drawing"] / PICTURES,
        "whole": wall,
        "processor": used,
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", default="target/release/geneverse")
    words.add_argument("--out", type=Path, default=Path("runs/bench/tissue"))
    words.add_argument("--repeats", type=int, default=5)
    words.add_argument("--size", type=int, default=336)
    words.add_argument("--without-peer", action="store_true")
    args = words.parse_args()
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"something else runs here: the load average is {load:.1f}", file=sys.stderr)
    folder = args.out / "xenium"
    if not folder.exists():
        make(folder)
    mine, peers = [], []
    for _ in range(args.repeats):
        mine.append(ours(args.program, folder, args.size))
        if not args.without_peer:
            told = subprocess.run(
                [sys.executable, "-c", PEER, str(folder), "2"], check=True, capture_output=True, text=True
            )
            peers.append(json.loads(told.stdout.splitlines()[-1]))
    best = lambda runs, what: min(run[what] for run in runs)  # noqa: E731
    print(f"{CELLS} cells, {GENES} genes, {args.size} pixels; fastest of {args.repeats}; load {load:.1f}\n")
    print("| | Geneverse | scanpy |\n|---|---|---|")
    for what, unit in (("read", "s"), ("picture", "s, each")):
        peer = f"{best(peers, what):.3f}" if peers else "–"
        print(f"| {what} ({unit}) | {best(mine, what):.3f} | {peer} |")
    print(f"| {PICTURES} pictures from start to end (s) | {best(mine, 'whole'):.2f} | |")
    print(f"| processor's seconds in it | {best(mine, 'processor'):.2f} | |")
    ranked = markers(args.program, folder, not args.without_peer)
    for name, (wall, used) in ranked.items():
        print(f"\nmarkers of {TYPES} types, {name}: {wall:.2f} s, {used:.2f} s of the processor")
    told = {"load": load, "geneverse": mine, "scanpy": peers, "markers": ranked}
    (args.out / "tissue.json").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
