"""Goldens of small random LLaVAs, made by transformers and PEFT.

    python3 -m venv peer && peer/bin/pip install torch==2.15.0 transformers==5.24.0 peft==0.21.2 pillow==11.3.0
    peer/bin/python make_llava_goldens.py [name ...]

Writes beside itself, for each model of MODELS: <name>/ (checkpoint with preprocessor_config.json), <name>-adapter/ (a PEFT
adapter of the language model with the projector trained whole), and <name>.safetensors:

    pixels.P                picture P of PICTURES as the image processor makes it: (3, side, side)
    tower.P                 what the tower gives for it, at the layer and the rows that LLaVA takes
    ids.i, pictures.i       token ids of four sequences, placeholders repeated for every patch, and the pictures they show
    labels.i                the token that follows each, where it is trained, else -1
    logits.i                (time, vocabulary)
    greedy.i                24 tokens that follow greedily, or fewer and an end token (2 or 5)
    tuned_logits            logits of sequence 1 with the adapter and its projector
    tuned.<tensor>          gradient of the mean loss over all labels, under the name in adapter_model.safetensors
    losses, lr, projector_lr    ten steps of AdamW, the projector at a learning rate of its own

Pictures are not square, one is a single pixel, one sequence shows two, one none, and two sequences differ in nothing but
their picture. The script fails if a golden would hide something: if another picture, the other rows of the tower, its other
layer or the other activation do not change the logits, or if a greedy choice is so close that rounding could decide it.
"""
import copy, json, os, shutil, sys
import torch
from golden import file_name, write
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image
from transformers import (CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaImageProcessorPil,
                          MistralConfig)

STOP = [2, 5]
SPECIAL = dict(bos_token_id=1, eos_token_id=2, pad_token_id=3)
FROM = "../../../geneverse-data/tests/goldens/pictures"
PICTURES = ["wide", "tall", "rgb", "pixel", "rgba"]
MODELS = {
    "llava": dict(
        seed=4, image_token=90, pad=False,
        text=LlamaConfig(hidden_size=28, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=10,
                         intermediate_size=36, vocab_size=93, rms_norm_eps=1e-5, max_position_embeddings=256, **SPECIAL),
        vision=CLIPVisionConfig(hidden_size=21, num_hidden_layers=3, num_attention_heads=3, intermediate_size=34,
                                image_size=22, patch_size=5, hidden_act="quick_gelu"),
        options=dict(vision_feature_layer=-2, vision_feature_select_strategy="default"), lr=5e-3, projector_lr=1e-3),
    "llava_full": dict(
        seed=7, image_token=88, pad=True,
        text=MistralConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                           intermediate_size=30, vocab_size=91, rms_norm_eps=1e-5, max_position_embeddings=256,
                           sliding_window=9, **SPECIAL),
        vision=CLIPVisionConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=27,
                                image_size=18, patch_size=6, hidden_act="gelu"),
        options=dict(vision_feature_layer=-1, vision_feature_select_strategy="full", multimodal_projector_bias=False),
        lr=5e-3, projector_lr=1e-3),
}


def random_model(spec):
    torch.manual_seed(spec["seed"])
    config = LlavaConfig(vision_config=spec["vision"], text_config=spec["text"], image_token_index=spec["image_token"],
                         **spec["options"])
    model = LlavaForConditionalGeneration(config).float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_((0 if name.endswith("bias") else 1) + 0.2 * torch.randn_like(p))
            else:
                p.copy_((0.1 if p.dim() == 1 else 0.22) * torch.randn_like(p))
    return model


def load(folder):
    return LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def processed(spec):
    side = spec["vision"].image_size
    processor = LlavaImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side},
                                       do_pad=spec["pad"])
    pictures = [Image.open(f"{FROM}/{name}.{'in' if name == 'rgba' else 'rgb'}.png") for name in PICTURES]
    return processor, [torch.as_tensor(processor(p, return_tensors="pt")["pixel_values"][0]) for p in pictures]


def features_of(model, pixels):
    outputs = model.model.get_image_features(pixel_values=pixels[None], output_hidden_states=True, return_dict=True)
    states = outputs.hidden_states[model.config.vision_feature_layer][0]
    return states[1:] if model.config.vision_feature_select_strategy == "default" else states


def run(model, sequence, pixels):
    ids, shown = sequence["ids"], sequence["pictures"]
    values = torch.stack([pixels[p] for p in shown]) if shown else None
    dtype = next(model.parameters()).dtype
    return model(input_ids=ids[None].long(), pixel_values=None if values is None else values.to(dtype)).logits[0]


def loss_of(model, sequences, pixels):
    total, trained = 0, 0
    for s in sequences:
        labels = s["labels"].long()
        logits = run(model, s, pixels)
        total = total + torch.nn.functional.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
        trained += int((labels >= 0).sum())
    return total / trained


def make_sequences(spec, rows):
    torch.manual_seed(spec["seed"] + 100)
    words = lambda n: torch.randint(6, spec["image_token"], (n,))
    picture = torch.full((rows,), spec["image_token"])
    begin, question = torch.cat([torch.tensor([1]), words(9)]), words(6)
    texts = [[begin, picture, question, words(5)],
             [torch.tensor([1]), words(3), picture, words(2), picture, words(7)],
             [torch.tensor([1]), words(30)],
             [begin, picture, question, words(8)]]
    out = []
    for parts, shown in zip(texts, [[0], [2, 1], [], [3]]):
        ids = torch.cat(parts)
        answer = len(parts[-1])
        labels = torch.full_like(ids, -1)
        labels[-answer - 1:-1] = ids[-answer:]
        out.append(dict(ids=ids, pictures=shown, labels=labels))
    return out


def gradients(model, sequences, pixels):
    runs = []
    for dtype in [torch.float32, torch.float64]:
        once = copy.deepcopy(model).to(dtype)
        loss_of(once, sequences, pixels).backward()
        runs.append({name: p.grad.float() for name, p in once.named_parameters() if p.requires_grad})
    for name, found in runs[0].items():
        difference = (found - runs[1][name]).abs().max() / found.abs().max().clamp(min=1e-2)
        assert difference < 1e-5, f"the gradient of {name} depends on rounding: {difference}"
    return runs[0]


def losses(model, sequences, pixels, lr, projector_lr):
    runs = []
    for noise in [0, 1e-6, 1e-6]:
        trained = copy.deepcopy(model)
        named = [(n, p) for n, p in trained.named_parameters() if p.requires_grad]
        with torch.no_grad():
            for _, p in named: p.mul_(1 + noise * torch.randn_like(p))
        projector = [p for n, p in named if "multi_modal_projector" in n]
        others = [p for n, p in named if "multi_modal_projector" not in n]
        step = torch.optim.AdamW([dict(params=others, lr=lr), dict(params=projector, lr=projector_lr)], weight_decay=0.0)
        told = []
        for _ in range(10):
            loss = loss_of(trained, sequences, pixels)
            step.zero_grad(); loss.backward()
            torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0)
            step.step(); told.append(loss.item())
        runs.append(torch.tensor(told))
    assert max((r - runs[0]).abs().max() for r in runs) < 2e-5, "losses depend on rounding"
    assert runs[0][-1] < runs[0][0] - 0.3, runs[0]
    return runs[0]


def make(name, spec):
    base = random_model(spec)
    shutil.rmtree(name, ignore_errors=True)
    base.save_pretrained(name)
    processor, pixels = processed(spec)
    processor.save_pretrained(name)
    base = load(name)
    out = {}
    with torch.no_grad():
        for p, values in enumerate(pixels):
            out[f"pixels.{p}"] = values
            out[f"tower.{p}"] = features_of(base, values)
    sequences = make_sequences(spec, len(out["tower.0"]))
    for i, s in enumerate(sequences):
        out[f"ids.{i}"], out[f"labels.{i}"] = s["ids"].int(), s["labels"].int()
        out[f"pictures.{i}"] = torch.tensor(s["pictures"]).int()
        with torch.no_grad(): out[f"logits.{i}"] = run(base, s, pixels)
        ids, told = s["ids"].clone(), []
        for _ in range(24):
            with torch.no_grad(): last = run(base, dict(ids=ids, pictures=s["pictures"]), pixels)[-1]
            # The placeholder is not a word that a model says.
            top = last.topk(2)
            assert top.values[0] - top.values[1] > 1e-3, "a greedy choice is too close"
            assert top.indices[0] != spec["image_token"], "the model says a placeholder"
            told.append(int(top.indices[0])); ids = torch.cat([ids, top.indices[:1]])
            if told[-1] in STOP: break
        out[f"greedy.{i}"] = torch.tensor(told).int()
    # What must matter does.
    with torch.no_grad():
        first = out["logits.0"]
        other = run(base, dict(sequences[0], pictures=[1]), pixels)
        assert (other[-1] - first[-1]).abs().max() > 0.05, "another picture changes nothing"
        assert not torch.equal(out["greedy.0"], out["greedy.3"])
        for field, value in [("vision_feature_layer", -3 if name == "llava" else -2)]:
            changed = copy.deepcopy(base); setattr(changed.config, field, value)
            assert (run(changed, sequences[0], pixels)[-1] - first[-1]).abs().max() > 1e-2, field
    adapter = name + "-adapter"
    config = LoraConfig(r=3, lora_alpha=7, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
                        target_modules=r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)",
                        modules_to_save=["multi_modal_projector"])
    peft = get_peft_model(load(name), config)
    with torch.no_grad():
        for n, p in peft.named_parameters():
            if "lora_B" in n: p.copy_(0.1 * torch.randn_like(p))
            if "modules_to_save" in n: p.mul_(1 + 0.3 * torch.randn_like(p))
    shutil.rmtree(adapter, ignore_errors=True)
    peft.save_pretrained(adapter)
    os.remove(os.path.join(adapter, "README.md"))
    peft = PeftModel.from_pretrained(load(name), adapter, is_trainable=True).eval()
    with torch.no_grad(): out["tuned_logits"] = run(peft, sequences[1], pixels)
    assert (out["tuned_logits"] - out["logits.1"]).abs().max() > 0.05
    short = lambda n: file_name(n).replace("modules_to_save.", "")
    for n, g in gradients(peft, sequences, pixels).items(): out["tuned." + short(n)] = g
    out["losses"] = losses(peft, sequences, pixels, spec["lr"], spec["projector_lr"])
    out["lr"], out["projector_lr"] = torch.tensor([spec["lr"]]), torch.tensor([spec["projector_lr"]])
    write(out, f"{name}.safetensors")
    print(name, {k: tuple(v.shape) for k, v in out.items() if not k.startswith("tuned.")}, out["losses"].tolist())


if __name__ == "__main__":
    for name in sys.argv[1:] or MODELS:
        make(name, MODELS[name])
