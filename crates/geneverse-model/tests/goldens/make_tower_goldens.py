"""Goldens of towers that are trained: gradients and ten losses of the small random LLaVAs of make_llava_goldens.py, which lie
here already, by transformers, PEFT and PyTorch.

    python3 -m venv peer && peer/bin/pip install torch==2.15.0 transformers==5.24.0 peft==0.21.2 pillow==11.3.0
    peer/bin/python make_tower_goldens.py

Writes beside itself, for each model, <name>-tower-adapter/ (a PEFT adapter of language model and tower, the projector trained
whole) and <name>_tower.safetensors:

    whole.<tensor>            gradient of the mean loss over all labels when every weight is trained, under its name in
                              model.safetensors
    whole_losses              ten steps of AdamW, language model, projector and tower at learning rates of their own
    adapted.<tensor>          gradient with the adapter, under its name in adapter_model.safetensors
    adapted_logits            logits of sequence 1 with the adapter
    lr, projector_lr, tower_lr

The script fails if a gradient depends on rounding, if the tower's gradients are nothing, or if its learning rate changes nothing.
"""
import copy, os, shutil
import torch
from golden import file_name, write
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
import make_llava_goldens as llava

LR = dict(lr=1e-3, projector_lr=4e-4, tower_lr=7e-4)
MAPS = {"language_model": "q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj",
        "vision_tower": "q_proj|k_proj|v_proj|out_proj|fc1|fc2"}


def in_file(name):
    name = name.replace("model.language_model.", "language_model.model.").replace("lm_head.", "language_model.lm_head.")
    return name.removeprefix("model.")


def group_of(name):
    return "projector_lr" if "projector" in name else "tower_lr" if "vision_tower" in name else "lr"


def losses(model, sequences, pixels, rates):
    runs = []
    for noise in [0, 1e-6]:
        trained = copy.deepcopy(model)
        named = [(n, p) for n, p in trained.named_parameters() if p.requires_grad]
        with torch.no_grad():
            for _, p in named: p.mul_(1 + noise * torch.randn_like(p))
        groups = [dict(params=[p for n, p in named if group_of(n) == key], lr=rate) for key, rate in rates.items()]
        step, told = torch.optim.AdamW(groups, weight_decay=0.0), []
        for _ in range(10):
            loss = llava.loss_of(trained, sequences, pixels)
            step.zero_grad(); loss.backward()
            torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0)
            step.step(); told.append(loss.item())
        runs.append(torch.tensor(told))
    assert (runs[1] - runs[0]).abs().max() < 4e-5, f"losses depend on rounding: {(runs[1] - runs[0]).abs().max()}"
    return runs[0]


def make(name, spec):
    base = llava.load(name)
    # As they were made for the other goldens, whatever Pillow is here: its versions resize differently.
    stored = load_file(f"{name}.safetensors")
    pixels = [stored[f"pixels.{p}"] for p in range(len(llava.PICTURES))]
    with torch.no_grad(): rows = len(llava.features_of(base, pixels[0]))
    sequences = llava.make_sequences(spec, rows)
    out = {}
    unused = lambda n: "post_layernorm" in n or any(
        f".layers.{k}." in n and "vision_tower" in n
        for k in range(spec["vision"].num_hidden_layers + 1 + spec["options"]["vision_feature_layer"],
                       spec["vision"].num_hidden_layers))
    for n, p in base.named_parameters():
        p.requires_grad_(not unused(n))
    for n, g in llava.gradients(base, sequences, pixels).items():
        out["whole." + in_file(n)] = g
        # A key's bias moves all scores of a query alike.
        assert g.abs().max() > 1e-6 or "k_proj.bias" in n, f"{n} has no gradient"
    out["whole_losses"] = losses(base, sequences, pixels, LR)
    other = losses(base, sequences, pixels, dict(LR, tower_lr=1e-5))
    assert (other - out["whole_losses"]).abs().max() > 1e-3, "the tower's learning rate changes nothing"
    for key, rate in LR.items(): out[key] = torch.tensor([rate])

    adapter = f"{name}-tower-adapter"
    torch.manual_seed(spec["seed"] + 7)
    pattern = "|".join(rf"(.*{module}.*\.({names}))" for module, names in MAPS.items())
    config = LoraConfig(r=3, lora_alpha=7, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM", target_modules=pattern,
                        modules_to_save=["multi_modal_projector"])
    peft = get_peft_model(llava.load(name), config)
    with torch.no_grad():
        for n, p in peft.named_parameters():
            if "lora_B" in n: p.copy_(0.1 * torch.randn_like(p))
            if "modules_to_save" in n: p.mul_(1 + 0.3 * torch.randn_like(p))
    shutil.rmtree(adapter, ignore_errors=True)
    peft.save_pretrained(adapter)
    os.remove(os.path.join(adapter, "README.md"))
    peft = PeftModel.from_pretrained(llava.load(name), adapter, is_trainable=True).eval()
    for n, p in peft.named_parameters():
        if unused(n): p.requires_grad_(False)
    with torch.no_grad(): out["adapted_logits"] = llava.run(peft, sequences[1], pixels)
    short = lambda n: file_name(n).replace("modules_to_save.", "")
    for n, g in llava.gradients(peft, sequences, pixels).items(): out["adapted." + short(n)] = g
    write(out, f"{name}_tower.safetensors")
    print(name, len(out), out["whole_losses"].tolist())


if __name__ == "__main__":
    for name, spec in llava.MODELS.items():
        make(name, spec)
