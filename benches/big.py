"""A model of seven billion parameters: load time, LoRA steps of 1 × 512 tokens, greedy generation, memory.

    python benches/big.py --folder runs/bench/models/mistral-7b --steps 3
    python benches/big.py --folder runs/bench/models/two-layers --layers 2 --steps 2

Makes a random checkpoint of Mistral-7B's shape in bfloat16 where the folder has none: 14.5 GB in three files. Geneverse
alone; settings of its recipe are given with --set.

load       seconds from the start of the program to its first step: hashing, reading, converting
s/step     median of the steps (with more than two steps, of those after the second)
peak       VmHWM, the most that was resident at once; RssAnon is memory of its own, RssFile are pages of the checkpoint
           that are mapped and that the system can take back. Highest values seen of each, 20 times a second, so they
           need not add up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import common
from common import ProgramError, say


def main() -> None:
    parser = common.arguments(__doc__)
    add = parser.add_argument
    add("--folder", type=Path, help="the checkpoint's folder [WORK/models/mistral-7b]")
    add("--layers", type=int, help="fewer layers, for a try [32]")
    add("--shards", type=int, default=3, help="[%(default)s]")
    add("--steps", type=int, default=3, help="LoRA steps; 0 for none [%(default)s]")
    add("--tokens", type=int, default=512, help="tokens of a step [%(default)s]")
    add("--new-tokens", type=int, default=16, help="tokens to generate; 0 for none [%(default)s]")
    args = parser.parse_args()

    folder = args.folder or args.work / "models" / "mistral-7b"
    results: dict[str, Any] = {"environment": common.environment(args)}
    rows = []
    try:
        data = common.ensure_data(args)
        if not (folder / "tokenizer_config.json").exists():
            say(f"making {folder}")
            layers = ["--layers", args.layers] if args.layers else []
            shape = ["--preset", "mistral-7b", "--shards", args.shards, *layers]
            made = common.script(args.python, "make_model.py", "--out", folder, "--data", data / "genes.json", *shape)
            say(f"{made.stdout.strip()}: {made.seconds:.0f} s, {made.memory.get('VmHWM', 0):.0f} MiB")
        size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        results["checkpoint_bytes"] = size
        if args.steps:
            recipe = common.recipe(
                folder,
                data / "long.json",
                method="lora",
                cutoff=args.tokens,
                batch=1,
                micro_batch=1,
                steps=args.steps,
                lr=1e-4,
            )
            run = common.train(args.binary, recipe, args.work, args.threads, args.set)
            rate, memory = run.tokens_per_second, run.watched.memory
            results["train"] = {
                "load_seconds": run.load_seconds,
                "step_seconds": run.step_seconds,
                "tokens_per_second": rate,
                "memory_mib": memory,
                "metrics": run.lines,
            }
            title = f"LoRA step, 1 × {args.tokens} tokens"
            rows.append([title, common.number(run.load_seconds), common.number(run.step_seconds), common.number(rate)])
            rows[-1] += resident(memory)
        if args.new_tokens:
            answer = common.generate(
                args.binary,
                folder,
                data / "genes.json",
                args.work,
                count=1,
                new_tokens=args.new_tokens,
                threads=args.threads,
            )
            rate, memory = answer.tokens_per_second, answer.watched.memory
            results["generate"] = {
                "load_seconds": answer.load_seconds,
                "seconds": answer.seconds,
                "tokens": answer.tokens,
                "without_prompt": answer.decode_only,
                "tokens_per_second": rate,
                "memory_mib": memory,
            }
            load, rate = ["–" if value is None else common.number(value) for value in (answer.load_seconds, rate)]
            title = f"one answer, {args.new_tokens} tokens" + (", without its prompt" if answer.decode_only else "")
            rows.append([title, load, "–", rate, *resident(memory)])
    except ProgramError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"checkpoint of {size / 1e9:.2f} GB, {args.threads} threads\n")
    print(common.table(["work", "load s", "s/step", "tokens/s", "peak MiB", "RssAnon MiB", "RssFile MiB"], rows))
    common.save(args.work / "big.json", results)


def resident(memory: dict[str, float]) -> list[str]:
    names = ("VmHWM", "RssAnon", "RssFile")
    return [common.number(memory[name]) if name in memory else "–" for name in names]


if __name__ == "__main__":
    main()
