"""A LLaVA-1.5 of seven billion parameters: one question about one picture, its time and its memory.

    cargo build --release
    runs/bench/venv/bin/pip install numpy
    runs/bench/venv/bin/python benches/llava_big.py --folder runs/bench/models/llava-7b [--layers 32]

Makes a random checkpoint of LLaVA-1.5-7B's shape (a Llama of 32 layers under CLIP's ViT-L/14 of 336 pixels) in bfloat16 where the
folder has none: 14 GB, by transformers' names, with the bundled model's tokenizer. A picture is 576 tokens. What such a model
says means nothing. `peak` is VmHWM, of which RssFile are mapped pages of the checkpoint that the system can take back.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from pathlib import Path

import numpy as np
from common import watch
from make_model import BLOCK, STANDARD_DEVIATION

ROOT = Path(__file__).resolve().parent.parent
NANO = ROOT / "models/geneverse-nano"
HIDDEN, INNER, HEADS, VOCABULARY = 4096, 11008, 32, 32064
TOWER, TOWER_INNER, TOWER_LAYERS, PATCH, SIDE = 1024, 4096, 24, 14, 336


def tensors(layers: int):
    """Names and shapes."""
    text = "language_model.model."
    yield f"{text}embed_tokens.weight", (VOCABULARY, HIDDEN)
    for n in range(layers):
        for name in "qkvo":
            yield f"{text}layers.{n}.self_attn.{name}_proj.weight", (HIDDEN, HIDDEN)
        yield f"{text}layers.{n}.mlp.gate_proj.weight", (INNER, HIDDEN)
        yield f"{text}layers.{n}.mlp.up_proj.weight", (INNER, HIDDEN)
        yield f"{text}layers.{n}.mlp.down_proj.weight", (HIDDEN, INNER)
        yield f"{text}layers.{n}.input_layernorm.weight", (HIDDEN,)
        yield f"{text}layers.{n}.post_attention_layernorm.weight", (HIDDEN,)
    yield f"{text}norm.weight", (HIDDEN,)
    yield "language_model.lm_head.weight", (VOCABULARY, HIDDEN)
    tower = "vision_tower.vision_model."
    yield f"{tower}embeddings.class_embedding", (TOWER,)
    yield f"{tower}embeddings.patch_embedding.weight", (TOWER, 3, PATCH, PATCH)
    yield f"{tower}embeddings.position_embedding.weight", ((SIDE // PATCH) ** 2 + 1, TOWER)
    norms = ["pre_layrnorm", "post_layernorm"]
    for n in range(TOWER_LAYERS):
        at = f"encoder.layers.{n}."
        norms += [f"{at}layer_norm1", f"{at}layer_norm2"]
        linear = [(f"self_attn.{name}_proj", TOWER, TOWER) for name in ("q", "k", "v", "out")]
        for name, rows, columns in [*linear, ("mlp.fc1", TOWER_INNER, TOWER), ("mlp.fc2", TOWER, TOWER_INNER)]:
            yield f"{tower}{at}{name}.weight", (rows, columns)
            yield f"{tower}{at}{name}.bias", (rows,)
    for name in norms:
        yield f"{tower}{name}.weight", (TOWER,)
        yield f"{tower}{name}.bias", (TOWER,)
    for name, columns in (("linear_1", TOWER), ("linear_2", HIDDEN)):
        yield f"multi_modal_projector.{name}.weight", (HIDDEN, columns)
        yield f"multi_modal_projector.{name}.bias", (HIDDEN,)


def make(folder: Path, layers: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    numbers = generator.standard_normal(BLOCK, dtype=np.float32) * STANDARD_DEVIATION
    # bfloat16 is the upper half of a float.
    block = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    ones = np.full(HIDDEN, 0x3F80, np.uint16)
    header, begin = {"__metadata__": {"format": "pt"}}, 0
    shapes = list(tensors(layers))
    for name, shape in shapes:
        end = begin + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(words).to_bytes(8, "little") + words)
        for name, shape in shapes:
            left = math.prod(shape)
            if "norm" in name and name.endswith("weight"):
                file.write(ones[:left].tobytes())
                continue
            while left:
                start = int(generator.integers(BLOCK))
                piece = block[start : start + left]
                file.write(piece.tobytes())
                left -= len(piece)
    text = {
        "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": layers,
        "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 4096, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3,
    }
    vision = {
        "model_type": "clip_vision_model", "hidden_size": TOWER, "intermediate_size": TOWER_INNER,
        "num_hidden_layers": TOWER_LAYERS, "num_attention_heads": 16, "image_size": SIDE, "patch_size": PATCH,
        "projection_dim": 768, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
    }
    config = {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "text_config": text,
        "vision_config": vision, "image_token_index": 4, "vision_feature_layer": -2, "image_seq_length": 576,
        "vision_feature_select_strategy": "default", "projector_hidden_act": "gelu", "torch_dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config))
    # An end that no answer reaches.
    (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": 1, "eos_token_id": VOCABULARY - 1}))
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE},
    }))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(NANO / name, folder / name)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", type=Path, default=ROOT / "target/release/geneverse")
    words.add_argument("--folder", type=Path, default=ROOT / "runs/bench/models/llava-7b")
    words.add_argument("--layers", type=int, default=32)
    words.add_argument("--new-tokens", type=int, default=16)
    args = words.parse_args()
    if not (args.folder / "tokenizer_config.json").exists():
        begun = time.perf_counter()
        make(args.folder, args.layers)
        print(f"made {args.folder}: {time.perf_counter() - begun:.0f} s")
    row = {"id": "1", "task": "protein", "image": str(ROOT / "docs/tissue.png"), "instruction": "What is this?", "output": ""}
    prompts, answers = args.folder / "prompts.json", args.folder / "answers.jsonl"
    prompts.write_text(json.dumps([row]))
    answers.unlink(missing_ok=True)
    command = [args.program, "generate", "--model", args.folder, "--prompts", prompts, "--prompt", "llava", "--out", answers]
    command += ["--max-new-tokens", args.new_tokens, "--quiet", "--json"]
    ended = watch(command)
    report = json.loads(ended.stdout)
    print(f"{args.folder.joinpath('model.safetensors').stat().st_size / 1e9:.2f} GB of weights")
    print(f"whole program {ended.seconds:.0f} s, {report.get('new_tokens')} tokens")
    print(", ".join(f"{name} {mib:,.0f} MiB" for name, mib in ended.memory.items()))


if __name__ == "__main__":
    main()
