"""`analyze clusters` beside scikit-learn, umap-learn and leidenalg, in turn on the same texts.

    cargo build --release
    runs/bench/venv/bin/pip install scikit-learn umap-learn leidenalg
    python3 benches/clusters.py --python runs/bench/venv/bin/python --texts texts.tsv

Texts have a line `id<TAB>text` each. Prints a table of seconds and memory, the divisions' modularity on one graph, and
with --trust the trustworthiness of both planes (memory grows with the square of the texts). `clusters_peer.py` says what
the peer does. Both sides use --threads threads.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path

from common import HERE, watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--python", default=sys.executable, help="an interpreter with the peer's packages")
    parser.add_argument("--program", type=Path, default=HERE.parent / "target/release/geneverse")
    parser.add_argument("--out", type=Path, default=HERE.parent / "runs/bench/clusters")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trust", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    ours_folder, peer_file = args.out / "ours", args.out / "peer.npz"
    names = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    os.environ.update({name: str(args.threads) for name in names})
    peer = [args.python, str(HERE / "clusters_peer.py")]
    ours, theirs = [], []
    for _ in range(args.repeats):
        shutil.rmtree(ours_folder, ignore_errors=True)
        program = [str(args.program), "analyze", "clusters", "--texts", str(args.texts), "--json", "--quiet"]
        ran = watch([*program, "--out", str(ours_folder)])
        ours.append(json.loads(ran.stdout) | {"peak_mib": ran.memory.get("VmHWM", 0), "process": ran.seconds})
        ran = watch([*peer, "run", "--texts", str(args.texts), "--out", str(peer_file)])
        theirs.append(json.loads(ran.stdout.splitlines()[-1]) | {"process": ran.seconds})

    median = lambda runs, key: statistics.median(map(key, runs))
    step = lambda *names: lambda run: sum(run["seconds"][name] for name in names)
    rows = [
        ("TF-IDF, SVD", median(ours, step("vectors")), median(theirs, step("vectors"))),
        ("neighbours", median(ours, step("neighbors")), median(theirs, step("neighbors"))),
        ("graph, UMAP", median(ours, step("graph", "umap")), median(theirs, step("graph and umap"))),
        ("Leiden", median(ours, step("leiden")), median(theirs, step("leiden"))),
        ("all", median(ours, step("all")), median(theirs, lambda run: run["all_seconds"])),
        ("process, start to end", median(ours, lambda run: run["process"]), median(theirs, lambda run: run["process"])),
        ("peak MiB", median(ours, lambda run: run["peak_mib"]), median(theirs, lambda run: run["peak_mib"])),
    ]
    print("| | Geneverse | peer | times better |\n|---|---:|---:|---:|")
    for name, our, their in rows:
        print(f"| {name} | {our:.2f} | {their:.2f} | {their / our:.1f} |")
    command = [*peer, "check", "--ours", str(ours_folder), "--peer", str(peer_file), *(["--trust"] if args.trust else [])]
    checked = json.loads(watch(command).stdout.splitlines()[-1])
    print(json.dumps(checked, indent=1))
    (args.out / "clusters.json").write_text(json.dumps({"ours": ours, "peer": theirs, "check": checked}, indent=1))


if __name__ == "__main__":
    main()
