"""What make_family_goldens.py and make_method_goldens.py share: the batch's loss, training, PEFT adapters.

Everything is computed in f32 by one thread, one sequence at a time, with no padding and no dropout, with paths
relative to this folder. A test compares gradients and losses to 1e-4. So that rounding cannot come near that, they are
computed in f64 too (losses also from slightly different weights), and have to agree to 1e-5 and 2e-5.
"""
import copy
import json
import os
import shutil
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.use_deterministic_algorithms(True)
torch.set_num_threads(1)

LLAMA_MAPS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def load(folder):
    """A checkpoint as transformers reads it, in f32 whatever it is stored in."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


@torch.no_grad()
def logits_of(model, ids):
    return model(input_ids=ids[None].long()).logits[0]


def loss_of(model, sequences):
    """Mean over all labels of the batch: every token but a sequence's first is one."""
    sequences = [ids.long() for ids in sequences if len(ids) > 1]
    total = 0
    for ids in sequences:
        logits = model(input_ids=ids[None]).logits[0, :-1]
        total = total + torch.nn.functional.cross_entropy(logits, ids[1:], reduction="sum")
    return total / sum(len(ids) - 1 for ids in sequences)


def gradients(model, sequences):
    """Gradient of every trained parameter, by the parameter's name."""
    runs = []
    for dtype in [torch.float32, torch.float64]:
        once = copy.deepcopy(model).to(dtype)
        loss_of(once, sequences).backward()
        runs.append({name: p.grad.float() for name, p in once.named_parameters() if p.requires_grad})
    for name, found in runs[0].items():
        # A key's bias (GPT-2, BioGPT) moves all scores of a query alike: its gradient is zero but for rounding.
        difference = (found - runs[1][name]).abs().max() / found.abs().max().clamp(min=1e-2)
        assert difference < 1e-5, f"the gradient of {name} depends on rounding: {difference}"
    return runs[0]


def adamw(lr):
    return lambda model: torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=0.0)


def losses_of(model, sequences, optimizer, steps=10):
    """Losses of `steps` training steps of a copy of the model, gradients clipped to norm 1."""
    runs = []
    # As it is; then in f64, and with weights that differ by a few units in the last place. Where they part, it is for
    # an entry whose gradient is nearly zero by chance: Adam makes a whole step of its sign.
    for dtype, noise in [(torch.float32, 0), (torch.float64, 0)] + 4 * [(torch.float32, 1e-6)]:
        trained = copy.deepcopy(model).to(dtype)
        with torch.no_grad():
            for p in trained.parameters(): p.mul_(1 + noise * torch.randn_like(p))
        step = optimizer(trained)
        losses = []
        for _ in range(steps):
            loss = loss_of(trained, sequences)
            step.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for p in trained.parameters() if p.requires_grad], 1.0)
            step.step()
            losses.append(loss.item())
        runs.append(torch.tensor(losses))
    difference = max((run - runs[0]).abs().max() for run in runs)
    assert difference < 2e-5, f"losses depend on rounding: {difference}"
    assert runs[0].max() < runs[0][0] + 0.5, f"losses explode: {runs[0]}"
    return runs[0]


def file_name(name):
    """The name that adapter_model.safetensors gives a parameter of a PEFT model."""
    name = name.replace(".default", "")
    return name.removesuffix(".weight") if "lora_magnitude_vector" in name else name


def make_adapter(base, config, folder):
    """Writes an adapter with a random B to `folder`, and returns it as PEFT reads it again, to be trained."""
    model = get_peft_model(load(base), config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name: p.copy_(0.1 * torch.randn_like(p))
            if "lora_magnitude_vector" in name: p.mul_(1 + 0.2 * torch.randn_like(p))
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    os.remove(os.path.join(folder, "README.md"))
    # PEFT keeps the targets in a set, and so writes them in another order every time.
    path = os.path.join(folder, "adapter_config.json")
    with open(path) as file: written = json.load(file)
    written["target_modules"].sort()
    with open(path, "w") as file: json.dump(written, file, indent=2, sort_keys=True)
    model = PeftModel.from_pretrained(load(base), folder, is_trainable=True)
    trained = {file_name(name) for name, p in model.named_parameters() if p.requires_grad}
    assert trained == set(load_file(os.path.join(folder, "adapter_model.safetensors")))
    # An adapter that changes nothing hides everything.
    ids = torch.arange(4, 24)
    assert (logits_of(model, ids) - logits_of(load(base), ids)).abs().max() > 0.05
    return model


def write(tensors, path):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
