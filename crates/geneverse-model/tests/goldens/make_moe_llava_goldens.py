"""Goldens of a small random MoE-LLaVA, computed here from the paper, in f64 with NumPy alone.

    peer/bin/pip install numpy safetensors
    peer/bin/python make_moe_llava_goldens.py

There is no implementation in transformers. What is computed: a StableLM decoder (layer norms with biases, a rotation of the
first half of each head, biases of query, key and value, SiLU gates) in which layers 0 and 2 have experts, as Lin et al. (2024,
arXiv 2401.15947) put them and DeepSpeed's top-2 gating with a capacity routes to them in evaluation (without the noise that
it adds to the second choice). What the tower sees is taken from llava.safetensors, whose tower belongs to this model too.
Writes moe_llava/ (configuration and weights under the names of the published checkpoints) and moe_llava.safetensors:

    ids.i, pictures.i       token ids, -1 for each row of a picture, and the pictures they show
    logits.i                with room for every token at both its experts
    tight.i                 with eval_capacity_factor 0.4, where experts are full
    greedy.i                16 tokens that follow greedily, each new token being routed by itself, as with a cache

The script fails if no token is turned away in `tight`, or if the experts' weights do not matter.
"""
import json, os, shutil
import numpy as np
from safetensors.numpy import load_file, save_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
HIDDEN, INNER, LAYERS, HEADS, KEYS, DIM, VOCABULARY, EPS = 32, 22, 3, 4, 2, 8, 91, 1e-5
TURNING, THETA, WIDTH = 4, 10000.0, 21
EXPERTS = {0: 4, 2: 3}
FACTOR, LEAST = 2.0, 0
STOP = [2, 5]
chance = np.random.default_rng(8)


def weights():
    w, draw = {}, lambda scale, *dims: (scale * chance.standard_normal(dims)).astype(np.float32)
    matrix = lambda rows, columns, gain=1.2: draw(gain / columns ** 0.5, rows, columns)
    norm = lambda name: w.update({name + ".weight": 1 + draw(0.3, HIDDEN), name + ".bias": draw(0.3, HIDDEN)})
    w["model.embed_tokens.weight"] = draw(0.4, VOCABULARY, HIDDEN)
    for n in range(LAYERS):
        layer = f"model.layers.{n}."
        norm(layer + "input_layernorm"); norm(layer + "post_attention_layernorm")
        for name, rows, gain in [("q", HEADS, 1.6), ("k", KEYS, 1.6), ("v", KEYS, 1.2)]:
            w[layer + f"self_attn.{name}_proj.weight"] = matrix(rows * DIM, HIDDEN, gain)
            w[layer + f"self_attn.{name}_proj.bias"] = draw(0.3, rows * DIM)
        w[layer + "self_attn.o_proj.weight"] = matrix(HIDDEN, HEADS * DIM)
        if n in EXPERTS:
            w[layer + "mlp.deepspeed_moe.gate.wg.weight"] = matrix(EXPERTS[n], HIDDEN, 1.5)
        prefixes = ["mlp.deepspeed_moe.experts.deepspeed_experts.%d." % k for k in range(EXPERTS[n])] if n in EXPERTS else ["mlp."]
        for prefix in prefixes:
            w[layer + prefix + "gate_proj.weight"] = matrix(INNER, HIDDEN)
            w[layer + prefix + "up_proj.weight"] = matrix(INNER, HIDDEN)
            w[layer + prefix + "down_proj.weight"] = matrix(HIDDEN, INNER)
    norm("model.norm")
    w["lm_head.weight"] = matrix(VOCABULARY, HIDDEN, 2.0)
    for n, inputs in [(0, WIDTH), (2, HIDDEN)]:
        w[f"model.mm_projector.image_spatial_proj.{n}.weight"] = matrix(HIDDEN, inputs, 0.6)
        w[f"model.mm_projector.image_spatial_proj.{n}.bias"] = draw(0.1, HIDDEN)
    return w


W = weights()
w = {name: tensor.astype(np.float64) for name, tensor in W.items()}
silu = lambda x: x / (1 + np.exp(-x))
erf = np.vectorize(__import__("math").erf)
gelu = lambda x: x * 0.5 * (1 + erf(x / 2 ** 0.5))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def norm(x, name):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + EPS) * w[name + ".weight"] + w[name + ".bias"]


def rotate(x):
    """(heads, tokens, DIM), the first TURNING numbers of each head in two halves."""
    angles = np.arange(x.shape[1])[:, None] / THETA ** (np.arange(0, TURNING, 2) / TURNING)
    a, b, rest = x[..., :TURNING // 2], x[..., TURNING // 2:TURNING], x[..., TURNING:]
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles), rest], -1)


def attention(h, layer):
    n = len(h)
    q, k, v = [(h @ w[layer + f"self_attn.{m}_proj.weight"].T + w[layer + f"self_attn.{m}_proj.bias"])
               .reshape(n, -1, DIM).transpose(1, 0, 2) for m in "qkv"]
    q, k = rotate(q), rotate(k)
    k, v = [np.repeat(x, HEADS // KEYS, axis=0) for x in (k, v)]
    scores = q @ k.transpose(0, 2, 1) / DIM ** 0.5
    scores = np.where(np.tril(np.ones((n, n), bool)), scores, -np.inf)
    return (softmax(scores) @ v).transpose(1, 0, 2).reshape(n, -1) @ w[layer + "self_attn.o_proj.weight"].T


def feed(h, prefix):
    return (silu(h @ w[prefix + "gate_proj.weight"].T) * (h @ w[prefix + "up_proj.weight"].T)) @ w[prefix + "down_proj.weight"].T


def moe(h, prefix, count, factor, turned_away):
    """The tokens of one call: their first choices fill the experts in order, then their second ones."""
    gates = softmax(h @ w[prefix + "gate.wg.weight"].T)
    capacity = max(int(np.ceil(len(h) / count * 2 * factor)), LEAST)
    first = gates.argmax(1)
    others = gates.copy(); others[np.arange(len(h)), first] = -1
    second = others.argmax(1)
    combine = np.zeros_like(gates)
    seats = np.zeros(count, int)
    for choice in (first, second):
        for token, expert in enumerate(choice):
            if seats[expert] < capacity: combine[token, expert] = gates[token, expert]
            else: turned_away.append((token, int(expert)))
            seats[expert] += 1
    combine /= np.maximum(combine.sum(1, keepdims=True), np.finfo(np.float32).eps)
    return sum(combine[:, e:e + 1] * feed(h, f"{prefix}experts.deepspeed_experts.{e}.") for e in range(count))


def forward(x, factor, by_itself=0, turned_away=None):
    """Logits of embedded tokens; the last `by_itself` of them came one after another and were routed alone."""
    turned_away = [] if turned_away is None else turned_away
    for n in range(LAYERS):
        layer = f"model.layers.{n}."
        x = x + attention(norm(x, layer + "input_layernorm"), layer)
        h = norm(x, layer + "post_attention_layernorm")
        if n not in EXPERTS:
            x = x + feed(h, layer + "mlp.")
            continue
        asked = len(h) - by_itself
        calls = [h[:asked]] + [h[i:i + 1] for i in range(asked, len(h))]
        x = x + np.concatenate([moe(c, layer + "mlp.deepspeed_moe.", EXPERTS[n], factor, turned_away) for c in calls])
    return norm(x, "model.norm") @ w["lm_head.weight"].T


def embed(ids, seen):
    rows = iter(seen)
    project = lambda f: gelu(f @ w["model.mm_projector.image_spatial_proj.0.weight"].T + w["model.mm_projector.image_spatial_proj.0.bias"]) \
        @ w["model.mm_projector.image_spatial_proj.2.weight"].T + w["model.mm_projector.image_spatial_proj.2.bias"]
    return np.stack([project(next(rows)) if i < 0 else w["model.embed_tokens.weight"][i] for i in ids])


llava = load_file("llava.safetensors")
tower = [llava[f"tower.{p}"].astype(np.float64) for p in range(5)]
words = lambda n: chance.integers(6, VOCABULARY, n).tolist()
picture = [-1] * len(tower[0])
begin, question = [1] + words(9), words(6)
texts = [(begin + picture + question, [0]), ([1] + words(3) + picture + words(2) + picture + words(7), [2, 1]),
         ([1] + words(30), []), (begin + picture + question, [3])]
out = {}
for i, (ids, shown) in enumerate(texts):
    seen = np.concatenate([tower[p] for p in shown]) if shown else []
    x, away, none = embed(ids, seen), [], []
    out[f"ids.{i}"], out[f"pictures.{i}"] = np.array(ids, np.int32), np.array(shown, np.int32)
    out[f"logits.{i}"] = forward(x, FACTOR, 0, none).astype(np.float32)
    out[f"tight.{i}"] = forward(x, 0.4, 0, away).astype(np.float32)
    assert away and not none, (away, none)
    assert np.abs(out[f"tight.{i}"] - out[f"logits.{i}"]).max() > 0.05
    told = []
    for _ in range(16):
        last = forward(embed(ids + told, seen), FACTOR, len(told))[-1]
        best = np.sort(last)[-2:]
        assert best[1] - best[0] > 1e-3, "a greedy choice is too close"
        told.append(int(last.argmax()))
        if told[-1] in STOP: break
    out[f"greedy.{i}"] = np.array(told, np.int32)
    print(i, len(ids), len(away), told)
assert out["greedy.0"].tolist() != out["greedy.3"].tolist(), "another picture, the same answer"
for name in [n for n in w if "wg" in n]:
    kept = w[name]; w[name] = -kept
    assert np.abs(forward(embed(texts[2][0], []), FACTOR) - out["logits.2"]).max() > 0.05, name
    w[name] = kept

shutil.rmtree("moe_llava", ignore_errors=True); os.mkdir("moe_llava")
save_file(W, "moe_llava/model.safetensors", metadata={"format": "pt"})
config = dict(
    architectures=["MoELLaVAStablelmForCausalLM"], model_type="moe_llava_stablelm", hidden_size=HIDDEN, intermediate_size=INNER,
    num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KEYS, vocab_size=VOCABULARY, hidden_act="silu",
    use_qkv_bias=True, rope_pct=TURNING / DIM, rope_theta=THETA, norm_eps=EPS, max_position_embeddings=256,
    tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, pad_token_id=3, torch_dtype="float32",
    mm_image_tower="openai/clip-tiny", mm_video_tower=None, image_projector_type="mlp2x_gelu", mm_hidden_size=WIDTH,
    mm_vision_select_layer=-2, mm_vision_select_feature="patch", mm_use_im_start_end=False, mm_use_im_patch_token=False,
    image_aspect_ratio="square", use_mm_proj=True,
    moe=dict(moe_enable=True, moe_mode="sparse", moe_layers_idx=list(EXPERTS), ep_size=1, num_experts=list(EXPERTS.values()),
             top_k_experts=2, capacity_factor=1.5, eval_capacity_factor=FACTOR, min_capacity=LEAST, use_residual=False,
             router_aux_loss_coef=0.01))
with open("moe_llava/config.json", "w") as file: json.dump(config, file, indent=2)
save_file(out, "moe_llava.safetensors")
