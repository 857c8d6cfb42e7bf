"""Geneverse beside PyTorch and PEFT: the same work on the same numbers, in turn.

    python benches/run.py --binary target/release/geneverse --python path/to/venv/bin/python
    python benches/run.py --only lora,generate --repeats 3
    python benches/run.py --only lora --without-peer

Makes the data and the small model where they are missing (below --work), then runs ours, the peer, ours, the peer, …
`--repeats` times, and prints a Markdown table. Every number of every run goes to results.json in the work folder.

Losses of all steps and answers are compared. LoRA starts from the adapter that the peer started from
(`method.init`). A program without that key starts from its own random numbers: only the first loss is compared then,
before which LoRA's B is zero, and the table says so. Ends with 1 where losses differ by more than --tolerance.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
from common import ProgramError, say


@dataclass
class Row:
    """A kind of work."""

    title: str
    method: str
    batch: int = 4
    cutoff: int = 256
    data: str = "fixed"
    lr: float = 1e-4


TRAINING = {
    "lora": Row("LoRA step, 4 × 256 tokens", "lora"),
    "genes": Row("LoRA on gene descriptions, 16 a step in fours", "lora", batch=16, cutoff=512, data="genes"),
    "full": Row("full finetuning step, 4 × 256 tokens", "full", lr=2e-5),
}
MICRO_BATCH = 4
GENERATION = {"generate": 20, "stream": 1}
PROMPTS = "genes"
ROWS = [*TRAINING, *GENERATION]


@dataclass
class Measure:
    """One line of the table: values of both sides, a pair for each repeat."""

    title: str
    unit: str
    ours: list[float]
    peer: list[float]
    more_is_better: bool
    agreement: str

    def ratios(self) -> tuple[float, float, float]:
        """How many times better ours is: by the medians, and the lowest and highest of the pairs."""

        def ratio(ours: float, peer: float) -> float:
            return ours / peer if self.more_is_better else peer / ours

        pairs = [ratio(ours, peer) for ours, peer in zip(self.ours, self.peer, strict=True)]
        return ratio(statistics.median(self.ours), statistics.median(self.peer)), min(pairs), max(pairs)

    def cells(self) -> list[str]:
        ours = common.number(statistics.median(self.ours))
        if not self.peer:
            return [self.title, self.unit, ours, "–", "–", "–", "–"]
        by_medians, low, high = self.ratios()
        peer = common.number(statistics.median(self.peer))
        return [self.title, self.unit, ours, peer, f"{by_medians:.2f}", f"{low:.2f} … {high:.2f}", self.agreement]


class Bench:
    """What the rows share: arguments, data, model, raw results, and whether everything agreed."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.data = common.ensure_data(args)
        self.model = args.model or common.ensure_model(args, "small", "--preset", "small")
        self.raw: dict[str, Any] = {}
        self.agreed = True
        # Whether the program knows `method.init`; found out by the first run.
        self.knows_init = True

    def peer(self, work: str, *arguments: Any) -> tuple[dict[str, Any], common.Watched]:
        args = self.args
        command = [work, "--model", self.model, "--threads", args.threads, "--device", args.device, *arguments]
        watched = common.script(args.python, "peer.py", *command, threads=args.threads)
        result = json.loads(watched.stdout.splitlines()[-1])
        self.raw.setdefault("peer_versions", result["versions"])
        return result, watched

    def ours(self, row: Row, adapter: Path) -> common.Training:
        args = self.args
        # Said only where it is not the default, so that programs without that key can be measured too.
        settings = [*args.set] if args.device == "cpu" else [f'run.device="{args.device}"', *args.set]
        recipe = common.recipe(
            self.model,
            self.data / f"{row.data}.json",
            method=row.method,
            cutoff=row.cutoff,
            batch=row.batch,
            micro_batch=MICRO_BATCH,
            steps=args.steps,
            lr=row.lr,
        )
        if row.method == "lora" and self.knows_init and not args.without_peer:
            try:
                begin = [f"method.init={adapter.resolve()}", *settings]
                return common.train(args.binary, recipe, args.work, args.threads, begin)
            except ProgramError as error:
                if "unknown field `init`" not in str(error):
                    raise
                self.knows_init = False
                say("note: this program does not know method.init; only the first losses of LoRA are compared")
        return common.train(args.binary, recipe, args.work, args.threads, settings)

    def training(self, name: str) -> list[Measure]:
        """Repeats of one kind of training, as lines of the table."""
        args, row = self.args, TRAINING[name]
        data, adapter = self.data / f"{row.data}.json", args.work / f"adapter-{self.model.name}"
        if row.method == "lora" and not args.without_peer:
            self.peer("lora", "--data", data, "--steps", 0, "--adapter-out", adapter)
        compared = args.steps
        runs: list[dict[str, Any]] = []
        differences: list[float] = []
        for repeat in range(1, args.repeats + 1):
            ours = self.ours(row, adapter)
            run = {
                "ours": {
                    "step_seconds": ours.step_seconds,
                    "real_tokens_per_second": ours.tokens_per_second,
                    "peak_mib": ours.peak_mib,
                    "load_seconds": ours.load_seconds,
                    "memory_mib": ours.watched.memory,
                    "metrics": ours.lines,
                }
            }
            if not args.without_peer:
                shape = ["--batch", row.batch, "--micro-batch", MICRO_BATCH, "--cutoff", row.cutoff, "--lr", row.lr]
                peer, watched = self.peer(row.method, "--data", data, "--steps", args.steps, *shape)
                peer["peak_mib"] = watched.memory.get("VmHWM") or peer["peak_rss_mib"]
                if peer["real_tokens"] != ours.real_tokens:
                    raise ProgramError(
                        f"{name}: the sides did not read the same data: {ours.real_tokens} tokens a step here, "
                        f"{peer['real_tokens']} there"
                    )
                compared = args.steps if row.method == "full" or self.knows_init else 1
                pairs = list(zip(ours.losses, peer["losses"], strict=True))
                differences += [abs(a - b) for a, b in pairs[:compared]]
                run["peer"] = peer
            runs.append(run)
            self.progress(name, repeat, run["ours"]["step_seconds"], run.get("peer", {}).get("step_seconds"), "s/step")
        self.raw[name] = runs
        agreement = "–"
        if differences:
            # Written so that a loss which is no number differs too.
            same = all(difference <= args.tolerance for difference in differences)
            self.agreed &= same
            of = f"{compared} losses" if compared > 1 else "first loss"
            agreement = f"{of} to {max(differences):.0e}".replace("0e+00", "the bit") + ("" if same else ", DIFFER")

        def measure(title: str, unit: str, key: str, more_is_better: bool = False) -> Measure:
            sides = [[run[side][key] for run in runs if side in run] for side in ("ours", "peer")]
            return Measure(title, unit, *sides, more_is_better, agreement)

        if name == "genes":
            return [measure(row.title, "real tokens/s", "real_tokens_per_second", more_is_better=True)]
        measures = [measure(row.title, "s", "step_seconds")]
        if name == "lora":
            measures.append(measure(f"{row.title}: peak memory", "MiB", "peak_mib"))
        return measures

    def generation(self, name: str) -> list[Measure]:
        """Repeats of generation, as a line of the table."""
        args, count = self.args, GENERATION[name]
        prompts = self.data / f"{PROMPTS}.json"
        runs: list[dict[str, Any]] = []
        equal: list[int] = []
        decode_only = False
        for repeat in range(1, args.repeats + 1):
            ours = common.generate(
                args.binary,
                self.model,
                prompts,
                args.work,
                count=count,
                new_tokens=args.new_tokens,
                threads=args.threads,
            )
            if ours.tokens_per_second is None:
                raise ProgramError(f"{name}: loading took longer than {args.new_tokens} tokens; more --new-tokens tell")
            decode_only = ours.decode_only
            run = {"ours": {"seconds": ours.seconds, "tokens": ours.tokens, "rate": ours.tokens_per_second}}
            if not args.without_peer:
                options = ["--count", count, "--new-tokens", args.new_tokens]
                options += ["--decode-only"] if decode_only else []
                peer, _ = self.peer("generate", "--data", prompts, *options)
                answers = [answer.strip() for answer in peer.pop("answers")]
                equal.append(sum(a.strip() == b for a, b in zip(ours.answers, answers, strict=True)))
                run["peer"] = peer | {"rate": peer["new_tokens_per_second"]}
            runs.append(run)
            self.progress(name, repeat, run["ours"]["rate"], run.get("peer", {}).get("rate"), "tokens/s")
        self.raw[name] = runs
        title = f"{count} prompts × {args.new_tokens} tokens" if count > 1 else f"one stream, {args.new_tokens} tokens"
        if decode_only:
            title += ", without reading prompts"
        agreement = f"{min(equal)} of {count} answers" if equal else "–"
        sides = [[run[side]["rate"] for run in runs if side in run] for side in ("ours", "peer")]
        return [Measure(f"greedy generation, {title}", "new tokens/s", *sides, True, agreement)]

    def progress(self, name: str, repeat: int, ours: float, peer: float | None, unit: str) -> None:
        beside = f", peer {common.number(peer)}" if peer else ""
        say(f"{name} {repeat}/{self.args.repeats}: ours {common.number(ours)}{beside} {unit}")


def main() -> None:
    parser = common.arguments(__doc__)
    add = parser.add_argument
    add("--only", default=",".join(ROWS), metavar="ROWS", help=f"of {', '.join(ROWS)} [all]")
    add("--repeats", type=int, default=5, help="pairs of runs for each row [%(default)s]")
    add("--steps", type=int, default=12, help="optimizer steps of a training run [%(default)s]")
    add("--new-tokens", type=int, default=128, help="length of an answer [%(default)s]")
    add("--tolerance", type=float, default=1e-4, help="by how much losses may differ [%(default)s]")
    add("--model", type=Path, help="a checkpoint folder [a random one of 34 million parameters]")
    add("--device", default="cpu", choices=["cpu", "cuda"], help="of both sides, for training [%(default)s]")
    add("--without-peer", action="store_true", help="ours alone")
    args = parser.parse_args()
    names = args.only.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"--only {','.join(unknown)}: expected some of {', '.join(ROWS)}")
    if args.device != "cpu" and (untrained := [name for name in names if name not in TRAINING]):
        parser.error(f"--device {args.device}: {','.join(untrained)} runs on the CPU only; name others with --only")

    environment = common.environment(args)
    try:
        bench = Bench(args)
        measures: list[Measure] = []
        for name in names:
            measures += bench.training(name) if name in TRAINING else bench.generation(name)
    except ProgramError as error:
        raise SystemExit(f"error: {error}") from None
    header = ["work", "unit", "Geneverse", "PyTorch + PEFT", "times better", "of pairs", "agreement"]
    print(common.table(header, [measure.cells() for measure in measures]))
    summary = []
    for measure in measures:
        ratio, lowest, highest = measure.ratios() if measure.peer else (None, None, None)
        summary.append(vars(measure) | {"ratio": ratio, "lowest": lowest, "highest": highest})
    results = {"environment": environment, "repeats": args.repeats, "summary": summary, "runs": bench.raw}
    common.save(args.work / "results.json", results)
    if not bench.agreed:
        raise SystemExit("error: losses differ by more than the tolerance")


if __name__ == "__main__":
    main()
