"""Goldens of a small random Llama, made by PyTorch, transformers and PEFT.

    python3 -m venv peer && peer/bin/pip install torch transformers peft
    peer/bin/python make_llama_goldens.py

Writes beside itself: llama/ (checkpoint), llama-adapter/ (PEFT adapter with a random B), llama.safetensors
(logits, gradients, losses, greedy tokens). The shape hides nothing: grouped heads, a head width that is not
hidden/heads, untied output layer, rank != alpha, an adapter on all seven maps, sequences of uneven lengths.
"""
import os
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
torch.use_deterministic_algorithms(True)
here = os.path.dirname(os.path.abspath(__file__))
at = lambda name: os.path.join(here, name)

config = LlamaConfig(hidden_size=42, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, head_dim=8,
                     intermediate_size=56, vocab_size=97, rms_norm_eps=1e-5, max_position_embeddings=256,
                     tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, pad_token_id=3,
                     initializer_range=0.15)
base = LlamaForCausalLM(config).float()
with torch.no_grad():
    for name, p in base.named_parameters():
        if "norm" in name: p.add_(0.1 * torch.randn_like(p))
base.save_pretrained(at("llama"))

lengths = [5, 77, 1, 30]
sequences = [torch.randint(4, 97, (n,)) for n in lengths]
out = {f"ids.{i}": s.int() for i, s in enumerate(sequences)}
with torch.no_grad():
    for i, s in enumerate(sequences):
        out[f"logits.{i}"] = base(input_ids=s[None]).logits[0]

def loss_of(model):
    """Mean over all trained tokens of the batch: every token but a sequence's first is one."""
    trained = sum(len(s) - 1 for s in sequences)
    total = 0
    for s in sequences:
        if len(s) < 2: continue
        logits = model(input_ids=s[None]).logits[0, :-1]
        total = total + torch.nn.functional.cross_entropy(logits, s[1:], reduction="sum")
    return total / trained

def ten_losses(model, lr):
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(params, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses = []
    for _ in range(10):
        loss = loss_of(model); opt.zero_grad(); loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step(); losses.append(loss.item())
    return torch.tensor(losses)

# Greedy answers to prompts of uneven lengths, one at a time (transformers' own batching pads on the left).
for i, s in enumerate(sequences):
    y = base.generate(s[None], attention_mask=torch.ones(1, len(s), dtype=torch.long), do_sample=False,
                      max_new_tokens=24, eos_token_id=[2, 5])[0, len(s):]
    out[f"greedy.{i}"] = y.int()

full = LlamaForCausalLM.from_pretrained(at("llama"), dtype=torch.float32)
loss_of(full).backward()
for name, p in full.named_parameters(): out[f"full.{name}"] = p.grad.clone()
full.zero_grad()
out["full_losses"] = ten_losses(full, 1e-2)

lora = LoraConfig(r=3, lora_alpha=7, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
                  target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
peft = get_peft_model(LlamaForCausalLM.from_pretrained(at("llama"), dtype=torch.float32), lora)
with torch.no_grad():
    for name, p in peft.named_parameters():
        if "lora_B" in name: p.copy_(0.1 * torch.randn_like(p))
peft.save_pretrained(at("llama-adapter"))
peft = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(at("llama"), dtype=torch.float32), at("llama-adapter"), is_trainable=True)
with torch.no_grad(): out["lora_logits"] = peft(input_ids=sequences[1][None]).logits[0]
loss_of(peft).backward()
for name, p in peft.named_parameters():
    if p.requires_grad: out["lora." + name.replace(".default", "")] = p.grad.clone()
peft.zero_grad()
out["lora_losses"] = ten_losses(peft, 1e-2)
save_file({k: v.contiguous() for k, v in out.items()}, at("llama.safetensors"))
