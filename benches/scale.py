"""How speed goes with model size, and memory and speed with context length. Geneverse alone.

    python benches/scale.py
    python benches/scale.py --only context --contexts 1024,4096 --context-steps 3

sizes    LoRA steps of 4 × 256 tokens on random f32 models of some 30, 60, 120 and 240 million parameters. A step costs
         operations in proportion to tokens × parameters, so tokens/s × parameters stays the same where speed does not
         suffer from size. Parameters in products are those without the input embedding, which is only looked up.
context  LoRA steps on one document of 1k, 2k, … 16k tokens with the small model, a process for each length. KiB a
         further token are what the peak grows by from one length to the next, for each token more: memory that grows
         linearly has the same number in every row.
"""

from __future__ import annotations

import argparse
from typing import Any

import common
from common import ProgramError, say

# hidden, layers, intermediate; heads of 64, a vocabulary of 8192.
SIZES = {
    "30m": (512, 8, 1408),
    "60m": (640, 10, 1728),
    "120m": (768, 15, 2048),
    "240m": (1024, 18, 2752),
}
VOCABULARY = 8192
CONTEXTS = [1024, 2048, 4096, 8192, 16384]


def parameters(hidden: int, layers: int, intermediate: int) -> tuple[int, int]:
    """All parameters, and those without the input embedding."""
    products = layers * (4 * hidden**2 + 3 * hidden * intermediate) + VOCABULARY * hidden
    return products + VOCABULARY * hidden + (2 * layers + 1) * hidden, products


def model(args: argparse.Namespace, name: str):
    hidden, layers, intermediate = SIZES[name]
    shape = ["--hidden", hidden, "--layers", layers, "--intermediate", intermediate, "--vocab", VOCABULARY]
    return common.ensure_model(args, name, *shape)


def sizes(args: argparse.Namespace) -> dict[str, Any]:
    data = common.ensure_data(args) / "fixed.json"
    rows, results, first = [], [], None
    for name in args.sizes.split(","):
        recipe = common.recipe(
            model(args, name), data, method="lora", cutoff=256, batch=4, micro_batch=4, steps=args.steps, lr=1e-4
        )
        run = common.train(args.binary, recipe, args.work, args.threads, args.set)
        every, products = parameters(*SIZES[name])
        rate = run.tokens_per_second
        first = first or rate * products
        say(f"{name}: {common.number(rate)} tokens/s")
        rows.append(
            [
                f"{every / 1e6:.1f} M",
                f"{products / 1e6:.1f} M",
                common.number(run.step_seconds),
                common.number(rate),
                f"{rate * every / 1e9:.1f}",
                f"{rate * products / 1e9:.1f}",
                f"{rate * products / first:.2f}",
                common.number(run.peak_mib),
            ]
        )
        results.append({"parameters": every, "in_products": products, "tokens_per_second": rate} | details(run))
    header = ["parameters", "in products", "s/step", "tokens/s", "× parameters, 1e9/s", "× in products, 1e9/s"]
    print(common.table([*header, "of the first", "peak MiB"], rows) + "\n")
    return {"sizes": results}


def context(args: argparse.Namespace) -> dict[str, Any]:
    data = common.ensure_data(args) / "long.json"
    rows, results = [], []
    before: tuple[int, float] | None = None
    for length in map(int, args.contexts.split(",")):
        recipe = common.recipe(
            model(args, "30m"),
            data,
            method="lora",
            cutoff=length,
            batch=1,
            micro_batch=1,
            steps=args.context_steps,
            lr=1e-4,
        )
        run = common.train(args.binary, recipe, args.work, args.threads, args.set)
        if run.real_tokens != [length] * len(run.lines):
            raise ProgramError(f"{data}: documents are of {run.real_tokens} tokens, expected {length}")
        say(f"{length} tokens: {common.number(run.peak_mib)} MiB, {common.number(run.tokens_per_second)} tokens/s")
        growth = (run.peak_mib - before[1]) * 1024 / (length - before[0]) if before else None
        before = (length, run.peak_mib)
        cells = [f"{length:,}", common.number(run.step_seconds), common.number(run.tokens_per_second)]
        rows.append([*cells, common.number(run.peak_mib), "–" if growth is None else f"{growth:.0f}"])
        results.append({"tokens": length, "kib_a_token": growth} | details(run))
    print(
        common.table(["tokens in the sequence", "s/step", "tokens/s", "peak MiB", "KiB a further token"], rows) + "\n"
    )
    return {"context": results}


def details(run: common.Training) -> dict[str, Any]:
    return {
        "step_seconds": run.step_seconds,
        "peak_mib": run.peak_mib,
        "memory_mib": run.watched.memory,
        "metrics": run.lines,
    }


def main() -> None:
    parser = common.arguments(__doc__)
    add = parser.add_argument
    add("--only", choices=["sizes", "context"], help="one of the two tables [both]")
    add("--sizes", default=",".join(SIZES), help="[%(default)s]")
    add("--contexts", default=",".join(map(str, CONTEXTS)), help="[%(default)s]")
    add("--steps", type=int, default=8, help="steps for each size, two of them not timed [%(default)s]")
    add("--context-steps", type=int, default=4, help="steps for each length, two of them not timed [%(default)s]")
    args = parser.parse_args()
    results: dict[str, Any] = {"environment": common.environment(args)}
    try:
        if args.only != "context":
            results |= sizes(args)
        if args.only != "sizes":
            results |= context(args)
    except ProgramError as error:
        raise SystemExit(f"error: {error}") from None
    common.save(args.work / "scale.json", results)


if __name__ == "__main__":
    main()
