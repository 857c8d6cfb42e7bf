"""Ten thousand answers about genes, graded: seconds and memory of `geneverse evaluate` with the whole database.

    python3 benches/evaluate.py --data ../shared/data

The database is made of all files of genes and of the Gene Ontology in `--data` (`genes import`), the answers of the RefSeq
summaries in it: an answer names its gene as the datasets do, and says what the gene's own summary says, or another gene's,
or half of both, or what it denies; by turns, and the same in every run. The reference is the gene's own.

s      of the whole process, from start to end
CPU s  of all its threads
MiB    the most that was resident
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

PROMPT = (
    "Please summarize the major function of gene: {}. Use academic language in one paragraph and include pathway "
    "information."
)
GO_FILES = ["go_terms.tsv.gz", "GO_BP.relations.tsv.gz", "GO_MF.relations.tsv.gz", "go-cellular-component.obo.gz"]


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def who(symbol: str, gene: dict[str, str]) -> str:
    return (
        f"The official symbol of this gene is {symbol} and its official full name is {gene['name']}, provided by HGNC. "
        f"Its primary source is {gene['hgnc_id']} and its related identifiers are Ensembl:{gene['ensembl_gene_id']}. "
    )


def sentences(text: str) -> list[str]:
    return [part.strip().rstrip(".") + "." for part in text.split(". ") if part.strip(". ")]


def text(kind: int, own: str, other: str) -> str:
    if kind == 0:
        return own
    if kind == 1:
        return other
    mine, theirs = sentences(own), sentences(other)
    if kind == 2:
        return " ".join(mine[: len(mine) // 2 + 1] + theirs[: len(theirs) // 2 + 1])
    return own.replace(" is ", " is not ").replace("activat", "inhibit")


def make_answers(data: Path, n: int, out: Path) -> None:
    """`n` answers, one a gene, or more where there are fewer genes with a summary."""
    draw = random.Random(1)
    genes = {row["symbol"]: row for row in rows(data / "genes/hgnc_complete_set.txt.gz")}
    known = [row for row in rows(data / "genes/refseq_summaries.tsv.gz") if row["symbol"] in genes]
    draw.shuffle(known)
    with open(out, "w", encoding="utf-8") as file:
        for number in range(n):
            row, other = known[number % len(known)], known[(number + 1 + number // len(known)) % len(known)]
            symbol = row["symbol"]
            begin = who(symbol, genes[symbol])
            answer = begin + text(number % 4, row["summary"], other["summary"])
            record = {
                "id": f"{symbol}-{number}",
                "task": "gene",
                "subject": symbol,
                "prompt": PROMPT.format(symbol),
                "answer": answer,
                "reference": begin + row["summary"],
                "model": "benchmark",
            }
            file.write(json.dumps(record) + "\n")


def run(command: list[str | Path]) -> tuple[float, float, float]:
    """Seconds, seconds of all threads, MiB."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, default=Path("../shared/data"), help="[%(default)s]")
    add("--binary", type=Path, default=Path("target/release/geneverse"), help="[%(default)s]")
    add("--out", type=Path, default=Path("runs/bench/evaluate"), help="database, answers and scores [%(default)s]")
    add("--answers", type=int, default=10_000, help="[%(default)s]")
    add("--repeats", type=int, default=5, help="[%(default)s]")
    add("--only-answers", action="store_true", help="make the answers, and stop")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    answers, database, scores = args.out / "answers.jsonl", args.out / "genes.db", args.out / "scores.json"
    make_answers(args.data, args.answers, answers)
    if args.only_answers:
        return
    genes, go = args.data / "genes", args.data / "go"
    files: list[str | Path] = ["--hgnc", genes / "hgnc_complete_set.txt.gz"]
    files += ["--gene-info", genes / "Homo_sapiens.gene_info.gz", "--summaries", genes / "refseq_summaries.tsv.gz"]
    for name in GO_FILES:
        files += ["--go", go / name]
    files += ["--go-annotations", go / "gene_GO_terms.tsv.gz"]
    run([args.binary, "genes", "import", *files, "--out", database, "--quiet"])
    print("| | s | CPU s | MiB | SHA-256 of scores.json |\n|---|---:|---:|---:|---|")
    for repeat in range(1, args.repeats + 1):
        for left in (scores, scores.with_name(scores.name + ".manifest.json")):
            left.unlink(missing_ok=True)
        seconds, cpu, mib = run([args.binary, "evaluate", answers, "--db", database, "--out", scores, "--quiet"])
        digest = hashlib.sha256(scores.read_bytes()).hexdigest()
        print(f"| {repeat} | {seconds:.2f} | {cpu:.2f} | {mib:.0f} | {digest[:16]} |", flush=True)


main()
