"""Data sets for the benchmarks, as Alpaca JSON.

    python benches/make_data.py --binary target/release/geneverse --records data/genes.jsonl --out runs/bench/data

writes
    genes.json  descriptions of real genes, of uneven length: what `geneverse dataset genes` makes of the records,
                in a shuffled order, so that long and short ones meet in a batch
    fixed.json  paragraphs of random words, each longer than 256 tokens whatever the tokenizer: with a cutoff of 256
                every example has exactly 256 tokens
    long.json   a few documents longer than 16384 tokens each, for memory against context length

Random words are drawn from the gene descriptions as often as they occur there, so that a tokenizer trained on these
treats them as it treats text. Sentences have log-normal lengths. The same seed makes the same files.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path


def gene_examples(binary: Path, records: Path, seed: int) -> list[dict]:
    """The program's own instruction data from gene records."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database, dataset = folder / "genes.db", folder / "dataset"
        commands = [
            ["genes", "import", "--records", records, "--out", database],
            ["dataset", "genes", "--db", database, "--out", dataset],
        ]
        for command in commands:
            done = subprocess.run([str(part) for part in [binary, *command, "--quiet"]], capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{binary} {' '.join(command[:2])}: {done.stderr.strip()}")
        examples = json.loads((dataset / "train.json").read_text())
    random.Random(seed).shuffle(examples)
    return [{key: example[key] for key in ("id", "instruction", "input", "output")} for example in examples]


def paragraph(words: list[str], count: int, rng: random.Random) -> str:
    """Sentences of random words, `count` words in all: at least as many tokens, since no token spans a blank."""
    sentences = []
    while count > 0:
        length = min(count, max(3, round(rng.lognormvariate(2.8, 0.5))))
        sentence = " ".join(rng.choices(words, k=length))
        sentences.append(sentence[0].upper() + sentence[1:] + ".")
        count -= length
    return " ".join(sentences)


def paragraphs(words: list[str], name: str, examples: int, count: int, rng: random.Random) -> list[dict]:
    return [
        {
            "id": f"{name}-{number}",
            "instruction": f"Write paragraph {number}.",
            "input": "",
            "output": paragraph(words, count, rng),
        }
        for number in range(1, examples + 1)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--binary", type=Path, default=Path("target/release/geneverse"), help="the program [%(default)s]")
    add("--records", type=Path, required=True, help="gene records as JSON Lines, such as data/genes.jsonl")
    add("--out", type=Path, required=True, help="the folder to write")
    add("--tokens", type=int, default=256, help="shortest example of fixed.json [%(default)s]")
    add("--examples", type=int, default=256, help="examples in fixed.json [%(default)s]")
    add("--long-tokens", type=int, default=16384, help="shortest document of long.json [%(default)s]")
    add("--long-examples", type=int, default=8, help="documents in long.json [%(default)s]")
    add("--seed", type=int, default=1, help="[%(default)s]")
    args = parser.parse_args()

    genes = gene_examples(args.binary, args.records, args.seed)
    words = [word.strip(".,;:()") for example in genes for word in example["output"].split()]
    words = [word for word in words if word]
    rng = random.Random(args.seed)
    sets = {
        "genes": genes,
        "fixed": paragraphs(words, "fixed", args.examples, args.tokens, rng),
        "long": paragraphs(words, "long", args.long_examples, args.long_tokens, rng),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for name, examples in sets.items():
        path = args.out / f"{name}.json"
        path.write_text(json.dumps(examples, indent=0, ensure_ascii=False) + "\n")
        lengths = sorted(len(example["output"].split()) for example in examples)
        middle = lengths[len(lengths) // 2]
        print(f"{path}: {len(examples)} examples of {lengths[0]} to {lengths[-1]} words, median {middle}")


if __name__ == "__main__":
    main()
