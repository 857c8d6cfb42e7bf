"""What PyPI's `gguf`, the package of llama.cpp, writes and how it names tensors.

    python3 -m venv peer && peer/bin/pip install gguf==0.19.0 numpy safetensors
    peer/bin/python make_gguf_goldens.py

Writes gguf/ beside itself:

    small.gguf      a file with keys of every type that is used, and tensors of all four types, one of odd length
    small.json      the numbers of its tensors
    blocks.json     rows of 64 numbers and their bytes as q8_0 and bf16: random ones of several sizes, zeros, halves, and some too small for f16
    names.json      for the checkpoints beside it, by family, each tensor of the file and its dimensions, columns first
"""
import json
import os

import gguf
import numpy as np
from safetensors import safe_open

here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, "gguf")
os.makedirs(out, exist_ok=True)
random = np.random.default_rng(7)
TYPES = gguf.GGMLQuantizationType

# --- a file
writer = gguf.GGUFWriter(os.path.join(out, "small.gguf"), "llama")
writer.add_uint32("llama.block_count", 2)
writer.add_float32("llama.rope.freq_base", 10000.0)
writer.add_bool("tokenizer.ggml.add_bos_token", True)
writer.add_array("tokenizer.ggml.tokens", ["<s>", "▁α", ""])
writer.add_array("tokenizer.ggml.scores", [0.0, -1.5])
writer.add_array("tokenizer.ggml.token_type", [3, 1, -1])
writer.add_array("llama.attention.sliding_window_pattern", [True, False])
numbers = {
    "output_norm.weight": (random.normal(size=5).astype(np.float32), TYPES.F32),
    "token_embd.weight": (random.normal(size=(3, 64)).astype(np.float32), TYPES.Q8_0),
    "output.weight": (random.normal(size=(3, 7)).astype(np.float32), TYPES.F16),
    "blk.0.ffn_up.weight": (random.normal(size=(2, 9)).astype(np.float32), TYPES.BF16),
}
for name, (array, kind) in numbers.items():
    if kind == TYPES.F32:
        writer.add_tensor(name, array)
    else:
        writer.add_tensor(name, gguf.quantize(array, kind), raw_dtype=kind)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()


def write(name, value):
    with open(os.path.join(out, name), "w") as file:
        json.dump(value, file, ensure_ascii=False)
        file.write("\n")


write("small.json", {name: array.flatten().tolist() for name, (array, _) in numbers.items()})

# --- blocks
rows = [random.normal(size=64) * size for size in [1e-3, 0.02, 1.0, 300.0]]
rows += [np.zeros(64), np.full(64, -2.0), np.linspace(-127, 127, 64), np.arange(64) - 31.5, random.normal(size=64) * 1e-30,
         np.concatenate([np.zeros(32), [1e-8], np.zeros(31)])]
rows = np.array(rows, np.float32)
hexes = lambda kind: [bytes(row.view(np.uint8)).hex() for row in gguf.quantize(rows, kind)]
write("blocks.json", {"numbers": rows.tolist(), "q8_0": hexes(TYPES.Q8_0), "bf16": hexes(TYPES.BF16)})

# --- names
ARCHITECTURES = {"llama": "LLAMA", "llama3": "LLAMA", "mistral": "LLAMA", "gemma": "GEMMA", "gemma2": "GEMMA2",
                 "gemma3_text": "GEMMA3", "gpt2": "GPT2", "qwen2": "QWEN2", "qwen3": "QWEN3", "stablelm": "STABLELM"}
names = {}
for family, architecture in ARCHITECTURES.items():
    folder = os.path.join(here, family)
    config = json.load(open(os.path.join(folder, "config.json")))
    layers = config.get("num_hidden_layers") or config["n_layer"]
    known = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, architecture), layers)
    names[family] = {}
    files = sorted(f for f in os.listdir(folder) if f.endswith(".safetensors"))
    for file in files:
        with safe_open(os.path.join(folder, file), "numpy") as tensors:
            for name in tensors.keys():
                dims = list(reversed(tensors.get_slice(name).get_shape()))
                if family == "gpt2" and len(dims) == 2 and ".attn.c_" in name or ".mlp.c_" in name and len(dims) == 2:
                    dims.reverse()
                found = known.get_name(name, (".weight", ".bias"))
                assert found, name
                names[family][found] = dims
write("names.json", names)
