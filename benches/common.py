"""What the benchmark scripts share: running a program under watch, recipes, metrics, tables.

Only the command line of geneverse is used: `train` with a recipe, `generate`, and the files they write. Standard
library only, so that the drivers (run.py, scale.py, big.py) run under any Python; scripts that need numpy or
PyTorch are started with the interpreter given to `--python`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Steps at the beginning of a run that are not timed: first touches of memory, and caches that fill.
WARM_UP_STEPS = 2
# A time that is the difference of two is used when it is at least this share of the longer one.
SHARE_OF_DIFFERENCE = 0.2
# Seconds between two looks at a running program's memory.
PERIOD = 0.05


class ProgramError(Exception):
    """A program ended with an error; the text is the end of what it said."""


@dataclass
class Watched:
    """A program that has ended."""

    stdout: str
    seconds: float
    # Highest values seen while it ran, MiB: VmHWM, VmRSS, RssAnon, RssFile of /proc/PID/status. Empty elsewhere
    # than on Linux.
    memory: dict[str, float] = field(default_factory=dict)


def status_mib(pid: int) -> dict[str, float]:
    """Memory of a process in MiB by the names of /proc/PID/status; nothing where there is no such file."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    wanted = ("VmHWM", "VmRSS", "RssAnon", "RssFile")
    pairs = (line.split(":", 1) for line in lines if line.split(":", 1)[0] in wanted)
    return {name: int(value.split()[0]) / 1024 for name, value in pairs}


def watch(
    command: list[str | Path], env: dict[str, str] | None = None, look: Callable[[float], None] | None = None
) -> Watched:
    """Runs a program to its end, looking at its memory meanwhile. `look` is called with the seconds since its start."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=err, env=os.environ | (env or {})
        )
        memory: dict[str, float] = {}
        try:
            while True:
                for name, mib in status_mib(process.pid).items():
                    memory[name] = max(mib, memory.get(name, 0.0))
                if look:
                    look(time.perf_counter() - start)
                try:
                    process.wait(PERIOD)
                    break
                except subprocess.TimeoutExpired:
                    pass
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            name = " ".join(str(part) for part in command[:3])
            raise ProgramError(f"{name} … ended with {process.returncode}:\n{err.read()[-3000:]}")
        return Watched(out.read(), seconds, memory)


def threads_env(threads: int) -> dict[str, str]:
    """Environment that gives a program of either side this many threads."""
    return {name: str(threads) for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}


# --- geneverse --------------------------------------------------------------------------------------------------


def recipe(
    model: Path, data: Path, *, method: str, cutoff: int, batch: int, micro_batch: int, steps: int, lr: float
) -> dict[str, dict[str, Any]]:
    """A recipe that does what peer.py does: prompt trained on, file order, constant rate, no clipping, no dropout."""
    lora = {
        "rank": 8,
        "alpha": 16.0,
        "dropout": 0.0,
        "targets": ["q_proj", "k_proj", "v_proj", "o_proj"],
    }
    return {
        "model": {"base": str(model.resolve())},
        "data": {
            "train": str(data.resolve()),
            "prompt": "alpaca",
            "cutoff": cutoff,
            "train_on_prompt": True,
            "shuffle": False,
        },
        "method": {"kind": method} | (lora if method == "lora" else {}),
        "optim": {
            "learning_rate": lr,
            "schedule": "constant",
            "warmup_steps": 0,
            "batch_size": batch,
            "micro_batch": micro_batch,
            "epochs": 1,
            "max_steps": steps,
            "weight_decay": 0.0,
            "max_grad_norm": 0.0,
        },
        "run": {"seed": 0},
    }


def toml(sections: dict[str, dict[str, Any]]) -> str:
    """A recipe's text. Its values are texts, numbers, truth values and lists, which TOML writes as JSON does."""
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


@dataclass
class Training:
    """A finished run of `geneverse train`."""

    lines: list[dict[str, Any]]
    watched: Watched
    # Seconds from the program's start to its first step: reading, checking and preparing everything.
    load_seconds: float
    batch: int

    @property
    def losses(self) -> list[float]:
        return [line["loss"] for line in self.lines]

    @property
    def timed(self) -> list[dict[str, Any]]:
        return self.lines[WARM_UP_STEPS:] or self.lines

    @property
    def step_seconds(self) -> float:
        return statistics.median(line["seconds"] for line in self.timed)

    @property
    def real_tokens(self) -> list[int]:
        """Tokens of each step without padding. With the prompt trained, all but an example's first have a label."""
        return [line["trained_tokens"] + self.batch for line in self.lines]

    @property
    def tokens_per_second(self) -> float:
        real = self.real_tokens[-len(self.timed) :]
        return sum(real) / sum(line["seconds"] for line in self.timed)

    @property
    def peak_mib(self) -> float:
        return self.watched.memory.get("VmHWM") or float(self.lines[-1]["peak_rss_mib"])


def train(
    binary: Path, sections: dict[str, dict[str, Any]], work: Path, threads: int, settings: Sequence[str] = ()
) -> Training:
    """Runs `geneverse train` in a folder of its own, which is removed afterwards."""
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="train-", dir=work))
    try:
        # A file of its own for validation: without one, the order of the training file is not kept.
        examples = json.loads(Path(sections["data"]["train"]).read_text())
        short = min(examples, key=lambda example: len(example["instruction"]) + len(example["output"]))
        if "validation" not in sections["data"]:
            (folder / "validation.json").write_text(json.dumps([short]))
            data = sections["data"] | {"validation": str((folder / "validation.json").resolve())}
            sections = sections | {"data": data}
        (folder / "recipe.toml").write_text(toml(sections))
        metrics = folder / "run" / "metrics.jsonl"
        first_seen: list[float] = []

        def look(seconds: float) -> None:
            if not first_seen and metrics.exists() and metrics.read_text().endswith("\n"):
                first_seen.append(seconds)

        command = [binary, "train", folder / "recipe.toml", "--out", folder / "run", "--quiet"]
        for setting in settings:
            command += ["--set", setting]
        watched = watch(command, threads_env(threads), look)
        lines = [json.loads(line) for line in metrics.read_text().splitlines()]
        lines = [line for line in lines if "loss" in line]
        # The first line appears when the first step is done.
        load = max((first_seen or [watched.seconds])[0] - lines[0]["seconds"], 0.0)
        return Training(lines, watched, load, sections["optim"]["batch_size"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Generation:
    """A finished run of `geneverse generate`."""

    # None where loading took so long that a difference of two runs says nothing.
    seconds: float | None
    tokens: int
    # Whether reading the prompts is not in the time: measured as the difference of two lengths.
    decode_only: bool
    load_seconds: float | None
    answers: list[str]
    watched: Watched

    @property
    def tokens_per_second(self) -> float | None:
        return self.tokens / self.seconds if self.seconds else None


def generate(
    binary: Path, model: Path, prompts: Path, work: Path, *, count: int, new_tokens: int, threads: int
) -> Generation:
    """Runs `geneverse generate` for the first `count` prompts, all at once.

    Start and loading are not counted. A program that reports `generate_seconds` is believed. With one that does not,
    a run for one token is made too and its time taken off, which takes off the reading of the prompts as well.
    """

    def once(length: int) -> tuple[dict[str, Any], list[str], Watched]:
        folder = Path(tempfile.mkdtemp(prefix="generate-", dir=work))
        try:
            command = [binary, "generate", "--model", model, "--prompts", prompts, "--prompt", "alpaca"]
            command += ["--limit", count, "--batch", count, "--max-new-tokens", length]
            command += ["--out", folder / "answers.jsonl", "--quiet", "--json"]
            watched = watch(command, threads_env(threads))
            lines = (folder / "answers.jsonl").read_text().splitlines()
            return json.loads(watched.stdout), [json.loads(line)["answer"] for line in lines], watched
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    work.mkdir(parents=True, exist_ok=True)
    report, answers, watched = once(new_tokens)
    if report["new_tokens"] != count * new_tokens:
        raise ProgramError(
            f"{report['new_tokens']} tokens were generated, expected {count} × {new_tokens}: too few prompts, or an "
            "answer ended by itself; see eos_token_id in the checkpoint's generation_config.json"
        )
    load = report.get("load_seconds")
    if "generate_seconds" in report:
        return Generation(report["generate_seconds"], report["new_tokens"], False, load, answers, watched)
    short, _, _ = once(1)
    seconds = report["seconds"] - short["seconds"]
    if seconds < SHARE_OF_DIFFERENCE * report["seconds"]:
        seconds = None
    return Generation(seconds, count * (new_tokens - 1), True, load, answers, watched)


# --- the other scripts ------------------------------------------------------------------------------------------


def script(python: str, name: str, *arguments: Any, threads: int = 2) -> Watched:
    """Runs another script of this folder."""
    return watch([python, HERE / name, *arguments], threads_env(threads))


def ensure_data(args: argparse.Namespace) -> Path:
    """The folder of data sets, made where it is missing."""
    folder = args.work / "data"
    if not (folder / "long.json").exists():
        say("making the data")
        script(args.python, "make_data.py", "--binary", args.binary, "--records", args.records, "--out", folder)
    return folder


def ensure_model(args: argparse.Namespace, name: str, *arguments: Any) -> Path:
    """A checkpoint folder below the work folder, made where it is missing; its tokenizer is trained on genes.json."""
    folder = args.work / "models" / name
    if not (folder / "tokenizer_config.json").exists():
        data = ensure_data(args) / "genes.json"
        say(f"making the model {name}")
        script(args.python, "make_model.py", "--out", folder, "--data", data, *arguments)
    return folder


# --- arguments, environment, tables -----------------------------------------------------------------------------


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser with what the drivers have in common."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--binary", type=Path, default=Path("target/release/geneverse"), help="the program [%(default)s]")
    add("--python", default=sys.executable, help="Python with numpy, tokenizers, torch, transformers, peft [this one]")
    add("--work", type=Path, default=Path("runs/bench"), help="where models, data and results go [%(default)s]")
    add("--records", type=Path, default=HERE.parent / "data" / "genes.jsonl", help="gene records [the bundled ones]")
    add("--threads", type=int, default=2, help="threads of either side [%(default)s]")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="lay a setting over our recipes")
    return parser


def environment(args: argparse.Namespace) -> dict[str, Any]:
    """What a reader of the numbers has to know of where they were made."""
    if not shutil.which(args.binary):
        raise SystemExit(f"error: {args.binary}: no such program; cargo build --release makes it, --binary names it")
    cpu = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    except OSError:
        pass
    version = subprocess.run([str(args.binary), "--version"], capture_output=True, text=True).stdout.strip()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if load is not None and load > 0.5:
        say(f"note: the load average is {load:.2f}; something else is running, and the numbers will show it")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": args.threads,
        "system": platform.platform(terse=True),
        "geneverse": version,
        "settings": args.set,
        "load_average_before": load,
    }


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, columns aligned: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells: list[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        return "| " + " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def number(value: float) -> str:
    """Three significant digits, more where the number is large."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def save(path: Path, value: Any) -> None:
    """Writes results as JSON and says where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")
    say(f"written: {path}")
