"""A random checkpoint of any Llama or Mistral shape in Hugging Face layout, with a tokenizer.

    python benches/make_model.py --preset small --data runs/bench/data/genes.json --out runs/bench/models/small
    python benches/make_model.py --preset mistral-7b --shards 3 --data runs/bench/data/genes.json --out mistral-7b
    python benches/make_model.py --hidden 768 --layers 15 --heads 12 --intermediate 2048 --dtype float16 \
        --data runs/bench/data/genes.json --out runs/bench/models/120m

Writes config.json, generation_config.json, tokenizer.json, tokenizer_config.json, and model.safetensors or shards of it
with model.safetensors.index.json. The folder is finished when tokenizer_config.json is there.

Weights. `--preset small` is initialised and written by transformers (normal, standard deviation 0.02). Every other
checkpoint is written tensor by tensor with numpy, in less than a gigabyte of memory whatever its size: one block of
some 16 million numbers is drawn from the same distribution, and each tensor is filled with pieces of it that begin at
random places. So a number occurs several times in a large model. No two rows are equal, products take as long as with
any other numbers, and 14.5 GB are written as fast as the disk takes them. Norms are one.

Tokenizer. Byte-level BPE, trained on the instructions and answers of Alpaca JSON. Where the data does not give as many
tokens as the vocabulary has, the rest is filled with tokens that no text contains.

End of sequence. generation_config.json names an id that no model of this vocabulary can say, so that every answer has
the full length. config.json names the tokenizer's end, which training data is ended with.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

PRESETS = {
    "small": {
        "family": "llama",
        "hidden": 512,
        "layers": 8,
        "heads": 8,
        "kv_heads": 8,
        "intermediate": 1408,
        "vocab": 8192,
        "dtype": "float32",
    },
    "mistral-7b": {
        "family": "mistral",
        "hidden": 4096,
        "layers": 32,
        "heads": 32,
        "kv_heads": 8,
        "intermediate": 14336,
        "vocab": 32000,
        "dtype": "bfloat16",
    },
}
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
STANDARD_DEVIATION = 0.02
# Prime, so that no row length divides it.
BLOCK = 16_777_259
PIECE = 1 << 20
DTYPES = {"float32": ("F32", 4), "bfloat16": ("BF16", 2), "float16": ("F16", 2)}


def tensors(args: argparse.Namespace) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes in the order of the layers."""
    hidden, head = args.hidden, args.hidden // args.heads
    yield "model.embed_tokens.weight", (args.vocab, hidden)
    for layer in range(args.layers):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", (hidden,)
        yield f"{prefix}.self_attn.q_proj.weight", (args.heads * head, hidden)
        yield f"{prefix}.self_attn.k_proj.weight", (args.kv_heads * head, hidden)
        yield f"{prefix}.self_attn.v_proj.weight", (args.kv_heads * head, hidden)
        yield f"{prefix}.self_attn.o_proj.weight", (hidden, args.heads * head)
        yield f"{prefix}.post_attention_layernorm.weight", (hidden,)
        yield f"{prefix}.mlp.gate_proj.weight", (args.intermediate, hidden)
        yield f"{prefix}.mlp.up_proj.weight", (args.intermediate, hidden)
        yield f"{prefix}.mlp.down_proj.weight", (hidden, args.intermediate)
    yield "model.norm.weight", (hidden,)
    if not args.tie:
        yield "lm_head.weight", (args.vocab, hidden)


def converted(numbers: np.ndarray, dtype: str) -> np.ndarray:
    """float32 to how the checkpoint stores it; bfloat16 as its 16 bits, rounded to nearest, ties to even."""
    if dtype == "float32":
        return numbers
    if dtype == "float16":
        return numbers.astype(np.float16)
    bits = numbers.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def shards(args: argparse.Namespace) -> list[list[tuple[str, tuple[int, ...]]]]:
    """The tensors, in `--shards` parts of about the same size, or in as many as `--max-shard-gb` needs."""
    every, size = list(tensors(args)), DTYPES[args.dtype][1]
    total = sum(math.prod(shape) for _, shape in every) * size
    count = args.shards or (math.ceil(total / (args.max_shard_gb * 1e9)) if args.max_shard_gb else 1)
    parts: list[list[tuple[str, tuple[int, ...]]]] = [[]]
    written = 0
    for name, shape in every:
        if written >= total * len(parts) / count and len(parts) < count:
            parts.append([])
        parts[-1].append((name, shape))
        written += math.prod(shape) * size
    return parts


def write_safetensors(path: Path, part: list[tuple[str, tuple[int, ...]]], block: np.ndarray, args, rng) -> int:
    """A safetensors file: length of the header, the header as JSON, the numbers. Returns the bytes of the numbers."""
    name_of_dtype, size = DTYPES[args.dtype]
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in part:
        end = at + math.prod(shape) * size
        header[name] = {"dtype": name_of_dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, shape in part:
            left = math.prod(shape)
            if len(shape) == 1:
                file.write(converted(np.ones(left, np.float32), args.dtype).data)
                continue
            while left > 0:
                count = min(left, PIECE)
                start = int(rng.integers(0, len(block) - count))
                file.write(block[start : start + count].data)
                left -= count
    return at


def write_weights(args: argparse.Namespace) -> None:
    """The streamed checkpoint."""
    rng = np.random.default_rng(args.seed)
    block = rng.standard_normal(BLOCK, np.float32)
    block *= STANDARD_DEVIATION
    block = converted(block, args.dtype)
    parts, places, total = shards(args), {}, 0
    for number, part in enumerate(parts, 1):
        name = "model.safetensors" if len(parts) == 1 else f"model-{number:05}-of-{len(parts):05}.safetensors"
        total += write_safetensors(args.out / name, part, block, args, rng)
        places |= {tensor: name for tensor, _ in part}
    if len(parts) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        write_json(args.out / "model.safetensors.index.json", index)


def write_with_transformers(args: argparse.Namespace) -> None:
    """The small preset: config.json and model.safetensors as transformers initialises and writes them."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig

    torch.manual_seed(args.seed)
    fields = {key: value for key, value in config(args).items() if key not in ("architectures", "model_type", "dtype")}
    kind = {"llama": LlamaConfig, "mistral": MistralConfig}[args.family]
    model = AutoModelForCausalLM.from_config(kind(**fields), dtype=getattr(torch, args.dtype))
    model.save_pretrained(args.out)


def config(args: argparse.Namespace) -> dict:
    """config.json."""
    fields = {
        "architectures": ["LlamaForCausalLM" if args.family == "llama" else "MistralForCausalLM"],
        "model_type": args.family,
        "hidden_size": args.hidden,
        "intermediate_size": args.intermediate,
        "num_hidden_layers": args.layers,
        "num_attention_heads": args.heads,
        "num_key_value_heads": args.kv_heads,
        "head_dim": args.hidden // args.heads,
        "vocab_size": args.vocab,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": args.positions,
        "tie_word_embeddings": args.tie,
        "bos_token_id": SPECIAL.index("<s>"),
        "eos_token_id": SPECIAL.index("</s>"),
        "pad_token_id": SPECIAL.index("<pad>"),
        "initializer_range": STANDARD_DEVIATION,
        "dtype": args.dtype,
    }
    if args.family == "mistral":
        # As in Mistral-7B-v0.2 and later.
        fields["sliding_window"] = None
    else:
        fields |= {"attention_bias": False, "mlp_bias": False}
    return fields


def write_tokenizer(args: argparse.Namespace) -> None:
    """tokenizer.json."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    examples = json.loads(args.data.read_text())
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=args.vocab,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for e in examples for text in (e["instruction"], e["output"])), trainer)
    begin = SPECIAL.index("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", begin)])
    fields = json.loads(tokenizer.to_str())
    vocabulary = fields["model"]["vocab"]
    if len(vocabulary) > args.vocab:
        raise SystemExit(f"--vocab {args.vocab}: expected at least {len(vocabulary)}, the bytes and special tokens")
    # No merge makes these, so no text contains them.
    vocabulary |= {f"<unused_{index}>": index for index in range(len(vocabulary), args.vocab)}
    (args.out / "tokenizer.json").write_text(json.dumps(fields, ensure_ascii=False))
    write_json(
        args.out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "clean_up_tokenization_spaces": False,
        },
    )


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="the folder to write")
    add("--data", type=Path, required=True, help="Alpaca JSON to train the tokenizer on")
    add("--preset", choices=PRESETS, help="a shape; what is given besides replaces parts of it")
    add("--family", choices=["llama", "mistral"], help="[llama]")
    add("--hidden", type=int, help="width [512]")
    add("--layers", type=int, help="depth [8]")
    add("--heads", type=int, help="query heads [hidden / 64]")
    add("--kv-heads", type=int, help="key and value heads [as many]")
    add("--intermediate", type=int, help="width of the feed-forward's inner layer [1408]")
    add("--vocab", type=int, help="tokens [8192]")
    add("--positions", type=int, default=32768, help="longest sequence [%(default)s]")
    add("--tie", action="store_true", help="the output layer is the embedding")
    add("--dtype", choices=DTYPES, help="[float32]")
    split = parser.add_mutually_exclusive_group()
    split.add_argument("--shards", type=int, help="files to spread the weights over [1]")
    split.add_argument("--max-shard-gb", type=float, help="or: the largest file")
    add("--seed", type=int, default=0, help="[%(default)s]")
    args = parser.parse_args()

    defaults = PRESETS["small"] | {"heads": None, "kv_heads": None} | PRESETS.get(args.preset, {})
    given = [key for key in defaults if getattr(args, key) is not None]
    for key in defaults.keys() - given:
        setattr(args, key, defaults[key])
    args.heads = args.heads or args.hidden // 64
    args.kv_heads = args.kv_heads or args.heads
    if args.heads == 0 or args.hidden % args.heads or args.heads % args.kv_heads:
        parser.error("--heads must divide --hidden, and --kv-heads must divide --heads")

    args.out.mkdir(parents=True, exist_ok=True)
    if args.preset == "small" and not given and not args.shards and not args.max_shard_gb:
        write_with_transformers(args)
    else:
        write_weights(args)
        write_json(args.out / "config.json", config(args))
    generation = {
        "bos_token_id": SPECIAL.index("<s>"),
        "eos_token_id": args.vocab,
        "pad_token_id": SPECIAL.index("<pad>"),
        "do_sample": False,
    }
    write_json(args.out / "generation_config.json", generation)
    write_tokenizer(args)
    parameters = sum(math.prod(shape) for _, shape in tensors(args))
    print(f"{args.out}: {parameters / 1e6:.1f} M parameters, {parameters * DTYPES[args.dtype][1] / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
