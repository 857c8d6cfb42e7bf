"""The program under test, and what it is given: records, a clustering, an adapter, runs, a structure.

Everything is made from this repository by the program itself, in a folder that is thrown away. Standard library only.
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
MODEL = REPOSITORY / "models" / "geneverse-nano"

# A report that tries what a report must not be able to do, and tells in its title how that went.
REPORT = """<!doctype html><title>A report</title><h1>A report</h1>
<script>
fetch("/v1/models").then(() => "asked the server", () => "could not ask").then((told) => {
  let kept = "kept something";
  try { sessionStorage.setItem("a", "b"); } catch { kept = "could not keep"; }
  document.title = `${told}, ${kept}`;
});
</script>
"""


def call(program: Path, *arguments: object, folder: Path) -> None:
    """Runs a command of the program to its end."""
    line = [str(program), "-q", *map(str, arguments)]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)}: {done.stderr[-2000:]}")


def write_adapter(folder: Path) -> None:
    """An adapter of random numbers in PEFT's form: its answers are nonsense, but long, and others than the base's."""
    config = json.loads((MODEL / "config.json").read_text())
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    width = heads * (config.get("head_dim") or hidden // heads)
    rank, draw, header, data = 2, random.Random(1), {}, bytearray()
    for layer in range(config["num_hidden_layers"]):
        for half, shape, spread in (("A", (rank, hidden), 0.05), ("B", (width, rank), 0.5)):
            count = shape[0] * shape[1]
            begin = len(data)
            data += struct.pack(f"<{count}f", *(draw.gauss(0, spread) for _ in range(count)))
            name = f"base_model.model.model.layers.{layer}.self_attn.q_proj.lora_{half}.weight"
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    folder.mkdir()
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 4, "lora_dropout": 0.0,
                "bias": "none", "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(settings))


def step(number: int, epoch: float) -> str:
    """A line of a run's log as training writes it."""
    return json.dumps({"step": number, "epoch": epoch, "loss": 1 + 2 / number, "lr": 0.001}) + "\n"


def prepare(program: Path, folder: Path) -> None:
    """Makes all that the server is given."""
    records = REPOSITORY / "data" / "genes.jsonl"
    call(program, "genes", "import", "--records", records, "--out", "genes.db", folder=folder)
    call(program, "analyze", "clusters", "--db", "genes.db", "--epochs", 50, "--out", "clusters", folder=folder)
    call(program, "lab", "proteins", "--count", 16, "--out", "proteins", folder=folder)
    call(program, "lab", "llava", "--base", MODEL, "--out", "llava", folder=folder)
    write_adapter(folder / "adapter")
    training, done = folder / "runs" / "training", folder / "runs" / "done"
    training.mkdir(parents=True)
    done.mkdir()
    (training / "recipe.toml").write_text("[optim]\nepochs = 2\n")
    (training / "metrics.jsonl").write_text("".join(step(number, number / 50) for number in range(1, 6)))
    (done / "metrics.jsonl").write_text("".join(step(number, number / 50) for number in range(1, 101)))
    (done / "manifest.json").write_text(json.dumps({"stage": "train", "facts": {"outcome": {"steps": 100}}}))
    (done / "report.html").write_text(REPORT)


class Server:
    """`serve` at a free port, until the block is left."""

    def __init__(self, program: Path, folder: Path, *more: object, model: Path = MODEL, keys: str = "") -> None:
        self.line = [str(program), "--json", "serve", "--model", str(model), "--prompt", "plain", "--name", "nano",
                     "--port", "0", "--max-new-tokens", "96", *map(str, more)]
        self.folder = folder
        self.environment = os.environ | {"GENEVERSE_API_KEYS": keys}
        self.address = ""

    def __enter__(self) -> "Server":
        self.log = (self.folder / "serve.log").open("w")
        self.process = subprocess.Popen(self.line, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        assert self.process.stdout
        # A JSON object over several lines.
        told = ""
        for line in self.process.stdout:
            told += line
            if line.startswith("}"):
                self.address = json.loads(told)["address"].removesuffix("/v1")
                return self
        self.__exit__()
        raise RuntimeError(f"serve has ended: {(self.folder / 'serve.log').read_text()[-2000:]}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()
