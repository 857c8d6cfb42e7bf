"""Finetuning a LLaVA: Geneverse beside transformers and PEFT, in turn, on the same weights, pictures and words.

    cargo build --release
    python3 -m venv runs/bench/venv
    runs/bench/venv/bin/pip install torch transformers peft tokenizers pillow
    runs/bench/venv/bin/python benches/llava.py [--steps 8] [--repeats 3] [--threads 2] [--decoder 512x1376x8x8]

A random LLaVA is made in runs/bench/llava: a Llama of 512 x 8 layers under a tower of 384 x 12 layers, pictures of 224
pixels as 256 patches of 14. Both sides train LoRA of rank 8 on every linear map of the decoder and the projector whole, four
examples a step, in f32. The peer is told twice: with the tower in every step, as a training loop over pictures has it, and
with the tower's states computed before, as Geneverse always does. How much that saves is a matter of shape (--decoder, with a
--folder of its own): the smaller the decoder, the more of a step the tower is. Times are differences between a long and a
short run, of the clock and of the processor, which says what the clock cannot on a machine with other work. Memory is the
process's peak.
"""
import argparse, json, os, pathlib, random, resource, shutil, statistics, subprocess, sys, time

os.environ["HF_HUB_OFFLINE"] = "1"
ROOT = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--steps", type=int, default=8)
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--program", default=str(ROOT / "target/release/geneverse"))
parser.add_argument("--folder", default=str(ROOT / "runs/bench/llava"))
parser.add_argument("--decoder", default="512x1376x8x8",
                    help="hidden x inner x layers x heads; the bundled model's is 256x688x8x8")
parser.add_argument("--peer", choices=["tower", "kept", "make"], help=argparse.SUPPRESS)
args = parser.parse_args()
FOLDER = pathlib.Path(args.folder)
SHORT = 2


def make():
    import torch
    from PIL import Image
    from tokenizers import AddedToken, Tokenizer
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    torch.manual_seed(0)
    shutil.rmtree(FOLDER, ignore_errors=True)
    model = FOLDER / "model"
    model.mkdir(parents=True)
    nano = ROOT / "models/geneverse-nano"
    tokenizer = Tokenizer.from_file(str(nano / "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken("<image>", special=True)])
    hidden, inner, layers, heads = map(int, args.decoder.split("x"))
    text = LlamaConfig(hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=heads,
                       num_key_value_heads=heads, vocab_size=4104, bos_token_id=1, eos_token_id=2, pad_token_id=3)
    vision = CLIPVisionConfig(hidden_size=384, intermediate_size=1536, num_hidden_layers=12, num_attention_heads=6,
                              image_size=224, patch_size=14)
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=tokenizer.token_to_id("<image>"))
    LlavaForConditionalGeneration(config).float().save_pretrained(model)
    tokenizer.save(str(model / "tokenizer.json"))
    CLIPImageProcessorPil(size={"shortest_edge": 224}).save_pretrained(model)
    chance, rows = random.Random(0), []
    words = [word for line in open(ROOT / "data/genes.jsonl") for word in (json.loads(line).get("summary") or {}).get("text", "").split()]
    for i in range(16):
        Image.effect_noise((300, 260), 60 + i).convert("RGB").save(FOLDER / f"{i}.png")
        answer = " ".join(chance.choice(words) for _ in range(40))
        rows.append(dict(id=str(i), task="protein", image=f"{i}.png", instruction="What is the name of this protein?", output=answer))
    (FOLDER / "train.json").write_text(json.dumps(rows))


def recipe(steps):
    return f'''[model]
base = "{FOLDER}/model"
[data]
train = "{FOLDER}/train.json"
prompt = "llava"
shuffle = false
cutoff = 1024
[method]
rank = 8
alpha = 16.0
dropout = 0.0
targets = ["all-linear"]
[optim]
batch_size = 4
micro_batch = 4
epochs = {steps}
max_steps = {steps}
warmup_steps = 0
schedule = "constant"
[run]
recompute = false
'''


def ours(steps):
    out = FOLDER / "run"
    shutil.rmtree(out, ignore_errors=True)
    (FOLDER / "recipe.toml").write_text(recipe(steps))
    begun = time.perf_counter()
    command = [args.program, "train", str(FOLDER / "recipe.toml"), "--out", str(out)]
    process = subprocess.Popen(command, env=dict(os.environ, RAYON_NUM_THREADS=str(args.threads)), stderr=subprocess.PIPE)
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, told.decode()
    lines = [json.loads(line) for line in open(out / "metrics.jsonl")]
    return dict(seconds=time.perf_counter() - begun, processor=usage.ru_utime + usage.ru_stime,
                memory=usage.ru_maxrss / 1024, loss=lines[0]["loss"])


def peer(steps, kept):
    command = [sys.executable, __file__, "--peer", "kept" if kept else "tower", "--steps", str(steps),
               "--threads", str(args.threads), "--folder", args.folder]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)


def run_peer():
    """What a user of transformers and PEFT writes; runs in a process of its own."""
    import torch
    from peft import LoraConfig, get_peft_model
    from PIL import Image
    from tokenizers import Tokenizer
    from transformers import LlavaForConditionalGeneration
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    torch.set_num_threads(args.threads)
    model = LlavaForConditionalGeneration.from_pretrained(FOLDER / "model", dtype=torch.float32)
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, modules_to_save=["multi_modal_projector"],
                      target_modules=r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)")
    model = get_peft_model(model, lora)
    tokenizer = Tokenizer.from_file(str(FOLDER / "model/tokenizer.json"))
    image, processor = tokenizer.token_to_id("<image>"), CLIPImageProcessorPil.from_pretrained(FOLDER / "model")
    examples = []
    for row in json.loads((FOLDER / "train.json").read_text()):
        # One token for the picture, to become one for each patch; the answer begins with a space.
        prompt = tokenizer.encode(f"USER: <image>\n{row['instruction']} ASSISTANT:", add_special_tokens=False).ids
        whole = tokenizer.encode(f"USER: <image>\n{row['instruction']} ASSISTANT: {row['output']}", add_special_tokens=False).ids
        spread = lambda ids: [1] + [i for id in ids for i in ([id] * 256 if id == image else [id])]
        ids, asked = spread(whole) + [2], len(spread(prompt))
        pixels = torch.as_tensor(processor(Image.open(FOLDER / row["image"]), return_tensors="pt")["pixel_values"][0])
        examples.append((ids, [-100] * asked + ids[asked:], pixels))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.0, fused=True)
    inner = model.get_base_model()
    kept = {}
    if args.peer == "kept":
        with torch.no_grad():
            for i, (_, _, pixels) in enumerate(examples):
                states = inner.model.vision_tower(pixels[None], output_hidden_states=True).hidden_states
                kept[i] = states[-2][:, 1:]
    losses = []
    for step in range(args.steps):
        begin = 4 * step % len(examples)
        chosen = range(begin, begin + 4)
        longest = max(len(examples[i][0]) for i in chosen)
        padded = lambda rows, fill: torch.tensor([row + [fill] * (longest - len(row)) for row in rows])
        ids, labels = padded([examples[i][0] for i in chosen], 3), padded([examples[i][1] for i in chosen], -100)
        mask = (ids != 3).long()
        if kept:
            embedded = inner.get_input_embeddings()(ids)
            seen = inner.model.multi_modal_projector(torch.cat([kept[i] for i in chosen]))
            embedded = embedded.masked_scatter((ids == image)[..., None], seen)
            out = model(inputs_embeds=embedded, attention_mask=mask, labels=labels)
        else:
            out = model(input_ids=ids, pixel_values=torch.stack([examples[i][2] for i in chosen]), attention_mask=mask, labels=labels)
        optimizer.zero_grad()
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
        optimizer.step()
        losses.append(out.loss.item())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps(dict(seconds=time.perf_counter() - BEGUN, processor=usage.ru_utime + usage.ru_stime,
                          memory=usage.ru_maxrss / 1024, loss=losses[0])))


BEGUN = time.perf_counter()
if args.peer:
    make() if args.peer == "make" else run_peer()
    sys.exit()
if not (FOLDER / "train.json").exists():
    # In a process of its own: what this one has held, the kernel would count as its children's.
    command = [sys.executable, __file__, "--peer", "make", "--folder", args.folder, "--decoder", args.decoder]
    subprocess.run(command, check=True)
sides = {"geneverse": ours, "peer, tower in every step": lambda n: peer(n, False), "peer, states kept": lambda n: peer(n, True)}
told = {name: [] for name in sides}
for _ in range(args.repeats):
    for name, side in sides.items():
        short, long = side(SHORT), side(SHORT + args.steps)
        of = lambda key: (long[key] - short[key]) / args.steps
        told[name].append(dict(seconds=of("seconds"), processor=of("processor"), memory=long["memory"], loss=long["loss"]))
print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {args.repeats}\n")
print("| | step, s | step, processor s | peak memory, MiB | first loss |\n|---|---|---|---|---|")
middle = lambda name, key: statistics.median(row[key] for row in told[name])
for name in sides:
    print(f"| {name} | {middle(name, 'seconds'):.2f} | {middle(name, 'processor'):.2f} | {middle(name, 'memory'):.0f} | {middle(name, 'loss'):.4f} |")
