"""Goldens of a small random Qwen2.5-VL, made by transformers and PEFT.

    python3 -m venv peer && peer/bin/pip install torch==2.15.0 transformers==5.24.0 peft==0.21.2 pillow==11.3.0
    peer/bin/python make_qwen_vl_goldens.py

Writes beside itself qwen2_5_vl/ (checkpoint with preprocessor_config.json), qwen2_5_vl-adapter/ (a PEFT adapter of the language
model) and qwen2_5_vl.safetensors:

    patches.P, grid.P       picture P as the image processor makes it, and its patches from top to bottom and left to right
    tower.P                 the tokens that the tower makes of it
    ids.i, pictures.i       token ids of five sequences, placeholders repeated for every token, and the pictures they show
    labels.i                the token that follows each, where it is trained, else -1
    logits.i                (time, vocabulary)
    greedy.i                24 tokens that follow greedily, or fewer and an end token (2 or 5)
    tuned_logits            logits of sequence 1 with the adapter
    tuned.<tensor>          gradient of the mean loss over all labels, under the name in adapter_model.safetensors
    losses, lr              ten steps of AdamW

Pictures are not square and of many sizes, with windows that are cut off; one sequence shows two, one none, and two sequences
differ in nothing but their picture. The script fails if windows, coordinates or pictures changed nothing.
"""
import copy, os, shutil
import torch
from golden import file_name, write
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

NAME = "qwen2_5_vl"
STOP = [2, 5]
IMAGE, START, END = 90, 88, 89
FROM = "../../../geneverse-data/tests/goldens/pictures"
PICTURES = ["wide", "tall", "rgb", "pixel", "rgba"]
CONFIG = dict(
    text_config=dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=36,
                     vocab_size=93, rms_norm_eps=1e-6, max_position_embeddings=256, bos_token_id=1, eos_token_id=2,
                     pad_token_id=3, rope_parameters=dict(rope_type="default", rope_theta=10000.0, mrope_section=[3, 2, 1])),
    vision_config=dict(depth=3, hidden_size=24, num_heads=3, intermediate_size=20, patch_size=5, spatial_merge_size=2,
                       window_size=20, fullatt_block_indexes=[1], out_hidden_size=48, temporal_patch_size=2, in_channels=3),
    image_token_id=IMAGE, video_token_id=91, vision_start_token_id=START, vision_end_token_id=END)
LR = 5e-3


def random_model():
    torch.manual_seed(11)
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**CONFIG)).float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name or "ln_q" in name:
                p.copy_((0 if name.endswith("bias") else 1) + 0.2 * torch.randn_like(p))
            else:
                p.copy_((0.1 if p.dim() == 1 else 0.2) * torch.randn_like(p))
    return model


def load(folder):
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def processed():
    processor = Qwen2VLImageProcessorPil(patch_size=5, merge_size=2, size=dict(shortest_edge=400, longest_edge=3600))
    pictures = [Image.open(f"{FROM}/{name}.{'in' if name == 'rgba' else 'rgb'}.png") for name in PICTURES]
    made = [processor(p, return_tensors="pt") for p in pictures]
    return processor, [(torch.as_tensor(m["pixel_values"]), torch.as_tensor(m["image_grid_thw"])) for m in made]


def run(model, sequence, seen):
    ids, shown = sequence["ids"][None].long(), sequence["pictures"]
    more = {}
    if shown:
        dtype = next(model.parameters()).dtype
        more = dict(pixel_values=torch.cat([seen[p][0] for p in shown]).to(dtype),
                    image_grid_thw=torch.cat([seen[p][1] for p in shown]))
    # Else the positions of the sequence before are used.
    model_inside = model.get_base_model() if isinstance(model, PeftModel) else model
    model_inside.model.rope_deltas = None
    return model(input_ids=ids, mm_token_type_ids=(ids == IMAGE).int(), attention_mask=torch.ones_like(ids), **more).logits[0]


def loss_of(model, sequences, seen):
    total, trained = 0, 0
    for s in sequences:
        labels = s["labels"].long()
        total = total + torch.nn.functional.cross_entropy(run(model, s, seen), labels, ignore_index=-1, reduction="sum")
        trained += int((labels >= 0).sum())
    return total / trained


def make_sequences(tokens):
    torch.manual_seed(111)
    words = lambda n: torch.randint(6, START, (n,))
    picture = lambda p: torch.cat([torch.tensor([START]), torch.full((tokens[p],), IMAGE), torch.tensor([END])])
    begin, question = words(9), words(6)
    texts = [([begin, picture(0), question, words(5)], [0]), ([words(3), picture(2), words(2), picture(1), words(7)], [2, 1]),
             ([words(2), words(28)], []), ([begin, picture(3), question, words(8)], [3]), ([begin, picture(2), question, words(4)], [2])]
    out = []
    for parts, shown in texts:
        ids, answer = torch.cat(parts), len(parts[-1])
        labels = torch.full_like(ids, -1)
        labels[-answer - 1:-1] = ids[-answer:]
        out.append(dict(ids=ids, pictures=shown, labels=labels))
    return out


def gradients(model, sequences, seen):
    runs = []
    for dtype in [torch.float32, torch.float64]:
        once = copy.deepcopy(model).to(dtype)
        loss_of(once, sequences, seen).backward()
        runs.append({name: p.grad.float() for name, p in once.named_parameters() if p.requires_grad})
    for name, found in runs[0].items():
        difference = (found - runs[1][name]).abs().max() / found.abs().max().clamp(min=1e-2)
        assert difference < 1e-5, f"the gradient of {name} depends on rounding: {difference}"
    return runs[0]


def losses(model, sequences, seen):
    runs = []
    for noise in [0, 1e-6, 1e-6]:
        trained = copy.deepcopy(model)
        parameters = [p for p in trained.parameters() if p.requires_grad]
        with torch.no_grad():
            for p in parameters: p.mul_(1 + noise * torch.randn_like(p))
        step = torch.optim.AdamW(parameters, lr=LR, weight_decay=0.0)
        told = []
        for _ in range(10):
            loss = loss_of(trained, sequences, seen)
            step.zero_grad(); loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            step.step(); told.append(loss.item())
        runs.append(torch.tensor(told))
    assert max((r - runs[0]).abs().max() for r in runs) < 2e-5, "losses depend on rounding"
    assert runs[0][-1] < runs[0][0] - 0.3, runs[0]
    return runs[0]


def main():
    shutil.rmtree(NAME, ignore_errors=True)
    random_model().save_pretrained(NAME)
    processor, seen = processed()
    processor.save_pretrained(NAME)
    base, out = load(NAME), {}
    for p, (patches, grid) in enumerate(seen):
        out[f"patches.{p}"], out[f"grid.{p}"] = patches, grid[0, 1:].int()
        with torch.no_grad(): out[f"tower.{p}"] = base.model.visual(patches, grid_thw=grid).pooler_output
    print([tuple(g[0].tolist()) for _, g in seen])
    sequences = make_sequences([len(out[f"tower.{p}"]) for p in range(5)])
    for i, s in enumerate(sequences):
        out[f"ids.{i}"], out[f"labels.{i}"] = s["ids"].int(), s["labels"].int()
        out[f"pictures.{i}"] = torch.tensor(s["pictures"]).int()
        with torch.no_grad(): out[f"logits.{i}"] = run(base, s, seen)
        ids, told = s["ids"].clone(), []
        for _ in range(24):
            with torch.no_grad(): last = run(base, dict(ids=ids, pictures=s["pictures"]), seen)[-1]
            top = last.topk(2)
            assert top.values[0] - top.values[1] > 1e-3, "a greedy choice is too close"
            assert top.indices[0] != IMAGE, "the model says a placeholder"
            told.append(int(top.indices[0])); ids = torch.cat([ids, top.indices[:1]])
            if told[-1] in STOP: break
        out[f"greedy.{i}"] = torch.tensor(told).int()
    # What must matter does.
    with torch.no_grad():
        first = out["logits.0"]
        # Another picture of as many tokens; windows; the coordinates of the decoder's tokens.
        turned = [(torch.flip(p, [0]), g) for p, g in seen]
        assert (run(base, sequences[0], turned)[-1] - first[-1]).abs().max() > 0.05, "another picture changes nothing"
        changed = copy.deepcopy(base); changed.model.visual.fullatt_block_indexes = [0, 1, 2]
        assert (run(changed, sequences[0], seen)[-1] - first[-1]).abs().max() > 1e-2, "windows"
        changed = copy.deepcopy(base); changed.model.language_model.rotary_emb.mrope_section = [6, 0, 0]
        assert (run(changed, sequences[0], seen)[-1] - first[-1]).abs().max() > 1e-2, "coordinates"
    adapter = NAME + "-adapter"
    config = LoraConfig(r=3, lora_alpha=7, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
                        target_modules=r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)")
    peft = get_peft_model(load(NAME), config)
    with torch.no_grad():
        for n, p in peft.named_parameters():
            if "lora_B" in n: p.copy_(0.1 * torch.randn_like(p))
    shutil.rmtree(adapter, ignore_errors=True)
    peft.save_pretrained(adapter)
    os.remove(os.path.join(adapter, "README.md"))
    peft = PeftModel.from_pretrained(load(NAME), adapter, is_trainable=True).eval()
    with torch.no_grad(): out["tuned_logits"] = run(peft, sequences[1], seen)
    assert (out["tuned_logits"] - out["logits.1"]).abs().max() > 0.05
    for n, g in gradients(peft, sequences, seen).items(): out["tuned." + file_name(n)] = g
    out["losses"], out["lr"] = losses(peft, sequences, seen), torch.tensor([LR])
    write(out, f"{NAME}.safetensors")
    print({k: tuple(v.shape) for k, v in out.items() if not k.startswith("tuned.")}, out["losses"].tolist())


main()
