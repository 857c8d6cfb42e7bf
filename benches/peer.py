"""The peer: the same work in PyTorch, transformers and PEFT. Prints one JSON line.

    python benches/peer.py lora --model runs/bench/models/small --data runs/bench/data/fixed.json \
        --batch 4 --cutoff 256 --steps 12 --adapter-out runs/bench/adapter
    python benches/peer.py full --model runs/bench/models/small --data runs/bench/data/fixed.json --batch 4 --cutoff 256
    python benches/peer.py generate --model runs/bench/models/small --data runs/bench/data/genes.json \
        --count 20 --new-tokens 128

lora      rank 8, alpha 16, no dropout, on q, k, v and o of attention, as the published Alpaca-LoRA weights have them:
          its template, the prompt trained on, each micro-batch padded on the left to its longest example and on to a
          multiple of 8. AdamW (fused), constant learning rate, no clipping, examples in the file's order. The loss of a
          step is the mean over the labels of its whole batch. `--adapter-out` saves the adapter as it was before the
          first step, `--steps 0` does only that.
full      the same, every weight.
generate  greedy, all prompts in one batch padded on the left, every answer of the full length. Timed without loading,
          after a short answer to warm up. `--decode-only` takes off the time of answers of one token.

Seconds per step and tokens per second are those after two steps of warm-up. Real tokens are those that are not padding.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path

# Everything lies on this disk: nothing is asked of a server.
os.environ["HF_HUB_OFFLINE"] = "1"

import peft
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

WITHOUT_INPUT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:\n"
)
WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
    "response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
)
IGNORED = -100
WARM_UP_STEPS = 2


def prompt(example: dict) -> str:
    """The published template around an instruction."""
    return (WITH_INPUT if example.get("input") else WITHOUT_INPUT).format(**example)


def encode(example: dict, tokenizer, cutoff: int) -> list[int]:
    """Begin, prompt, answer, end; cut where it is longer than the cutoff."""
    ids = tokenizer(prompt(example) + example["output"])["input_ids"]
    return [*ids, tokenizer.eos_token_id][:cutoff]


def collate(examples: list[list[int]], pad: int) -> dict[str, torch.Tensor]:
    """A micro-batch, padded on the left."""
    width = -(-max(map(len, examples)) // 8) * 8
    ids = torch.full((len(examples), width), pad)
    mask = torch.zeros(len(examples), width, dtype=torch.long)
    for row, example in enumerate(examples):
        ids[row, width - len(example) :] = torch.tensor(example)
        mask[row, width - len(example) :] = 1
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}


def summed_loss(model, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy of every next token, summed. A label stands after a real token: the first one follows padding."""
    labels = inputs["input_ids"][:, 1:].masked_fill(inputs["attention_mask"][:, :-1] == 0, IGNORED)
    logits = model(**inputs).logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def train(args: argparse.Namespace) -> dict:
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.dtype)).to(args.device)
    if args.work == "lora":
        lora = peft.LoraConfig(
            r=args.rank,
            lora_alpha=args.alpha,
            lora_dropout=0.0,
            bias="none",
            task_type="CAUSAL_LM",
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        )
        model = peft.get_peft_model(model, lora)
        if args.adapter_out:
            model.save_pretrained(args.adapter_out)
    model.train()
    if args.compile:
        model = torch.compile(model)
    examples = [encode(e, tokenizer, args.cutoff) for e in json.loads(args.data.read_text())]
    if len(examples) < args.steps * args.batch:
        raise SystemExit(f"{args.data}: {len(examples)} examples, expected {args.steps} × {args.batch}")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.lr, weight_decay=0.0, fused=True)
    losses, seconds, real, computed = [], [], [], []
    for step in range(args.steps):
        batch = examples[step * args.batch : (step + 1) * args.batch]
        start = time.perf_counter()
        labels, loss, width = sum(len(ids) - 1 for ids in batch), 0.0, 0
        for first in range(0, args.batch, args.micro_batch):
            inputs = collate(batch[first : first + args.micro_batch], tokenizer.pad_token_id)
            inputs = {name: tensor.to(args.device) for name, tensor in inputs.items()}
            part = summed_loss(model, inputs) / labels
            part.backward()
            loss += part.item()
            width += inputs["input_ids"].numel()
        optimizer.step()
        optimizer.zero_grad()
        if args.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
        losses.append(loss)
        real.append(sum(map(len, batch)))
        computed.append(width)
    timed = slice(WARM_UP_STEPS if len(seconds) > WARM_UP_STEPS else 0, None)
    return {
        "losses": losses,
        "seconds": seconds,
        "real_tokens": real,
        "step_seconds": statistics.median(seconds[timed]) if seconds else None,
        "real_tokens_per_second": sum(real[timed]) / sum(seconds[timed]) if seconds else None,
        "padding": 1 - sum(real) / sum(computed) if seconds else None,
    }


def generate(args: argparse.Namespace) -> dict:
    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.dtype)).to(args.device).eval()
    examples = json.loads(args.data.read_text())[: args.count]
    inputs = tokenizer([prompt(example) for example in examples], return_tensors="pt", padding=True)
    inputs = {name: inputs[name].to(args.device) for name in ("input_ids", "attention_mask")}

    def answer(length: int) -> tuple[torch.Tensor, float]:
        start = time.perf_counter()
        ids = model.generate(**inputs, do_sample=False, min_new_tokens=length, max_new_tokens=length)
        return ids[:, inputs["input_ids"].shape[1] :], time.perf_counter() - start

    with torch.inference_mode():
        answer(2)
        ids, seconds = answer(args.new_tokens)
        tokens = ids.numel()
        if args.decode_only:
            seconds -= answer(1)[1]
            tokens -= len(examples)
    return {
        "seconds": seconds,
        "tokens": tokens,
        "new_tokens_per_second": tokens / seconds,
        "answers": tokenizer.batch_decode(ids, skip_special_tokens=True),
    }


def peak_rss_mib() -> float:
    """Peak resident memory. On Linux VmHWM, which getrusage can overstate by the memory of whoever started this."""
    try:
        line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("work", choices=["lora", "full", "generate"])
    add("--model", type=Path, required=True, help="a checkpoint folder")
    add("--data", type=Path, required=True, help="Alpaca JSON")
    add("--threads", type=int, default=2, help="[%(default)s]")
    add("--dtype", default="float32", choices=["float32", "bfloat16", "float16"], help="[%(default)s]")
    add("--device", default="cpu", choices=["cpu", "cuda"], help="[%(default)s]")
    add("--seed", type=int, default=0, help="the adapter's first weights follow from it [%(default)s]")
    training = parser.add_argument_group("lora and full")
    training.add_argument("--steps", type=int, default=12, help="[%(default)s]")
    training.add_argument("--batch", type=int, default=16, help="examples per step [%(default)s]")
    training.add_argument("--micro-batch", type=int, default=4, help="examples per forward pass [%(default)s]")
    training.add_argument("--cutoff", type=int, default=512, help="longest example in tokens [%(default)s]")
    training.add_argument("--lr", type=float, default=1e-4, help="learning rate [%(default)s]")
    training.add_argument("--rank", type=int, default=8, help="[%(default)s]")
    training.add_argument("--alpha", type=int, default=16, help="[%(default)s]")
    training.add_argument("--adapter-out", type=Path, help="save the adapter from before the first step")
    training.add_argument("--compile", action="store_true", help="with torch.compile")
    generating = parser.add_argument_group("generate")
    generating.add_argument("--count", type=int, default=20, help="prompts, in one batch [%(default)s]")
    generating.add_argument("--new-tokens", type=int, default=128, help="per answer [%(default)s]")
    generating.add_argument("--decode-only", action="store_true", help="take off the time of one-token answers")
    args = parser.parse_args()

    transformers.logging.set_verbosity_error()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    result = generate(args) if args.work == "generate" else train(args)
    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft)}
    print(json.dumps(result | {"peak_rss_mib": peak_rss_mib(), "threads": args.threads, "versions": versions}))


if __name__ == "__main__":
    main()
