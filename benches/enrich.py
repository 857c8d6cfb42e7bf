"""GO enrichment of clusters and its figures: Geneverse and goatools with matplotlib, in turn on the same files.

    python benches/enrich.py --python PYTHON --obo go-basic.obo --associations FILE --clusters clusters.csv

PYTHON has goatools (and statsmodels) and matplotlib. Both read the ontology, annotations as rows of a gene and its terms,
and a CSV with `id` and `cluster`; test every term of the ten largest clusters against all that were clustered, two-sided,
with Bonferroni and Benjamini-Hochberg; write a table; and draw the ten best terms of each cluster as bars, PNG and SVG.

s      of the whole process, from start to end
MiB    the most that was resident
differ the largest relative difference of p between the two, over terms that genes of a cluster have
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def peer(obo: str, associations: str, clusters: str, out: str) -> None:
    """What a user of goatools would write."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from goatools.go_enrichment import GOEnrichmentStudy
    from goatools.obo_parser import GODag

    dag = GODag(obo, prt=None)
    found: dict[str, set[str]] = {}
    with open(associations) as file:
        for line in file:
            gene, terms = line.rstrip("\n").split("\t")
            found.setdefault(gene, set()).update(term for term in terms.split(";") if term)
    groups: dict[str, set[str]] = {}
    with open(clusters) as file:
        for row in csv.DictReader(file):
            groups.setdefault(row["cluster"], set()).add(row["id"])
    population = set().union(*groups.values())
    known = {gene: terms for gene, terms in found.items() if gene in population}
    study = GOEnrichmentStudy(population, known, dag, methods=["bonferroni", "fdr_bh"], log=None)
    largest = sorted(groups, key=lambda name: (-len(groups[name]), int(name)))[:10]
    _, axes = plt.subplots(5, 2, figsize=(14, 17))
    with open(f"{out}/terms.tsv", "w") as table:
        table.write("cluster\tterm\tstudy_count\tp\tp_bonferroni\tp_fdr_bh\n")
        for name, axis in zip(largest, axes.flat):
            records = sorted(study.run_study(groups[name], prt=None), key=lambda record: record.p_uncorrected)
            for record in records:
                values = (record.GO, record.study_count, record.p_uncorrected, record.p_bonferroni, record.p_fdr_bh)
                table.write("\t".join(map(str, (name, *values))) + "\n")
            best = [record for record in records if record.enrichment == "e" and record.p_fdr_bh <= 0.05][:10]
            heights = [-math.log10(max(record.p_fdr_bh, 1e-300)) for record in best]
            axis.barh([record.name[:50] for record in best][::-1], heights[::-1])
            axis.set_title(f"Cluster {name}")
    plt.tight_layout()
    plt.savefig(f"{out}/enrichment.png", dpi=288)
    plt.savefig(f"{out}/enrichment.svg")


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def p_values(path: Path) -> dict[tuple[str, str], float]:
    with open(path) as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {(row["cluster"], row["term"]): float(row["p"]) for row in rows if int(row["study_count"]) > 0}


def main() -> None:
    if len(sys.argv) == 6 and sys.argv[1] == "peer":
        peer(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--python", default=sys.executable, help="the peer's Python [this one]")
    add("--binary", type=Path, default=Path("target/release/geneverse"), help="[%(default)s]")
    add("--obo", required=True)
    add("--associations", required=True)
    add("--clusters", required=True)
    add("--repeats", type=int, default=3, help="[%(default)s]")
    args = parser.parse_args()
    print("| | Geneverse | goatools | times better |\n|---|---:|---:|---:|")
    for repeat in range(1, args.repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = Path(folder, "ours"), Path(folder, "theirs")
            theirs.mkdir()
            files = ["--obo", args.obo, "--associations", args.associations, "--clusters", args.clusters]
            our = run([str(args.binary), "analyze", "enrich", *files, "--out", str(ours), "--quiet"])
            their = run([args.python, __file__, "peer", args.obo, args.associations, args.clusters, str(theirs)])
            a, b = p_values(ours / "terms.tsv"), p_values(theirs / "terms.tsv")
            if a.keys() != b.keys():
                sys.exit(f"{len(a.keys() ^ b.keys())} terms are in one table only")
            differ = max(abs(a[key] - b[key]) / b[key] if b[key] else 0.0 for key in a)
        print(f"| {repeat}: s | {our[0]:.2f} | {their[0]:.2f} | {their[0] / our[0]:.1f} |")
        print(f"| {repeat}: MiB | {our[1]:.0f} | {their[1]:.0f} | {their[1] / our[1]:.1f} |")
        print(f"| {repeat}: {len(a)} terms, differ | {differ:.1e} | | |", flush=True)


main()
