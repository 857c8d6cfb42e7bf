"""Goldens of the ways to finetune other than plain LoRA and plain full training, made by PEFT.

    peer/bin/python make_method_goldens.py      (the environment of make_family_goldens.py, after it)

On the model, the adapter and the batch of make_llama_goldens.py (llama/, llama-adapter/, ids.* of llama.safetensors);
qwen2/ and gpt2/, whose maps have biases, on those of make_family_goldens.py. Writes beside itself these adapters,
and of each the logits of ids.1 with it:

    llama-dora/         dora.safetensors: lora_logits, lora.<tensor> (gradients), lora_losses, lora_lr
                        methods.safetensors:
    llama-rslora/       rslora.logits, rslora.losses (3 steps), rslora.lr
    llama-patterned/    patterned.logits           (rank_pattern, alpha_pattern)
    llama-onelayer/     onelayer.logits            (layers_to_transform)
    llama-adapter/      loraplus.losses, loraplus.lr, loraplus.ratio
    qwen2-dora/         qwen2_dora.logits, qwen2_dora.grad.<tensor>
    gpt2-dora/          gpt2_dora.logits, gpt2_dora.grad.<tensor>
    (no adapter)        expand_losses, expand_lr, expand.<parameter> (gradients)
                        llama/ with a new block after each layer, the new blocks trained

Gradients are under the names of the tensors in adapter_model.safetensors. DoRA's are PEFT's: the norm of the adapted
weight is a constant to them.
"""
import torch
from golden import LLAMA_MAPS, adamw, file_name, gradients, load, logits_of, losses_of, make_adapter, write
from peft import LoraConfig, PeftModel
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def sequences_of(name):
    golden = load_file(f"{name}.safetensors")
    return [golden[f"ids.{i}"] for i in range(4)]


def adapter(base, folder, maps=LLAMA_MAPS, **kind):
    config = LoraConfig(r=3, lora_alpha=7, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM", target_modules=maps,
                        fan_in_fan_out=base == "gpt2", **kind)
    return make_adapter(base, config, folder)


def named_gradients(prefix, model, sequences):
    return {prefix + file_name(name): g for name, g in gradients(model, sequences).items()}


def expanded(folder):
    """LLaMA-Pro: after every layer a copy whose o_proj and down_proj are zero, so that it changes nothing yet.

    As scripts/block_expansion.py of github.com/TencentARC/LLaMA-Pro does it, for as many new blocks as layers: layer
    i becomes layer 2i, its copy is layer 2i + 1. Only the copies are trained.
    """
    base = load(folder)
    config = AutoModelForCausalLM.from_pretrained(folder).config
    config.num_hidden_layers *= 2
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    old, new = base.state_dict(), {}
    for name, tensor in old.items():
        if ".layers." not in name:
            new[name] = tensor
            continue
        before, after = name.split(".layers.")
        layer, rest = after.split(".", 1)
        new[f"{before}.layers.{2 * int(layer)}.{rest}"] = tensor
        silent = "o_proj" in rest or "down_proj" in rest
        new[f"{before}.layers.{2 * int(layer) + 1}.{rest}"] = torch.zeros_like(tensor) if silent else tensor
    model.load_state_dict(new)
    for name, p in model.named_parameters():
        p.requires_grad_(".layers." in name and int(name.split(".layers.")[1].split(".")[0]) % 2 == 1)
    return base, model


torch.manual_seed(0)
sequences = sequences_of("llama")
prompt = sequences[1]
out = {}

dora = adapter("llama", "llama-dora", use_dora=True)
write({"lora_logits": logits_of(dora, prompt), **named_gradients("lora.", dora, sequences),
       "lora_losses": losses_of(dora, sequences, adamw(1e-2)), "lora_lr": torch.tensor(1e-2)}, "dora.safetensors")

rslora = adapter("llama", "llama-rslora", use_rslora=True)
out["rslora.logits"] = logits_of(rslora, prompt)
out["rslora.losses"] = losses_of(rslora, sequences, adamw(1e-2), steps=3)
out["rslora.lr"] = torch.tensor(1e-2)

# By a map's name, by the end of a path, and by a whole path (a regular expression, as in PEFT's documentation).
patterned = adapter("llama", "llama-patterned",
                    rank_pattern={"q_proj": 5, "layers.1.mlp.up_proj": 2, "^model.layers.0.mlp.gate_proj": 4},
                    alpha_pattern={"v_proj": 11, "layers.1.mlp.up_proj": 1})
out["patterned.logits"] = logits_of(patterned, prompt)

onelayer = adapter("llama", "llama-onelayer", layers_to_transform=[1])
assert all(".layers.1." in name for name, p in onelayer.named_parameters() if p.requires_grad)
out["onelayer.logits"] = logits_of(onelayer, prompt)

lr, ratio = 1e-3, 4.0
loraplus = PeftModel.from_pretrained(load("llama"), "llama-adapter", is_trainable=True)
out["loraplus.losses"] = losses_of(loraplus, sequences, lambda model: create_loraplus_optimizer(
    model, torch.optim.AdamW, lr=lr, loraplus_lr_ratio=ratio))
out["loraplus.lr"], out["loraplus.ratio"] = torch.tensor(lr), torch.tensor(ratio)

for family, maps in [("qwen2", LLAMA_MAPS), ("gpt2", ["c_attn", "c_proj", "c_fc"])]:
    batch = sequences_of(family)
    model = adapter(family, f"{family}-dora", maps, use_dora=True)
    out[f"{family}_dora.logits"] = logits_of(model, batch[1])
    out.update(named_gradients(f"{family}_dora.grad.", model, batch))

base, expanded_model = expanded("llama")
assert torch.equal(logits_of(base, prompt), logits_of(expanded_model, prompt))
out.update({f"expand.{name}": g for name, g in gradients(expanded_model, sequences).items()})
out["expand_losses"] = losses_of(expanded_model, sequences, adamw(1e-2))
out["expand_lr"] = torch.tensor(1e-2)
write(out, "methods.safetensors")
