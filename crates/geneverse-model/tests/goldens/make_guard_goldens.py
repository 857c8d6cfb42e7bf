"""Greedy answers without repeated runs of tokens, by transformers' no_repeat_ngram_size.

    python make_guard_goldens.py      (an environment with torch and transformers)

On the model and the prompts of make_llama_goldens.py (llama/, ids.* of llama.safetensors). Writes guard.safetensors:
greedy.N.i, the 24 tokens after prompt i in which no run of N tokens comes twice, prompt included.
"""
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained("llama", attn_implementation="eager").float().eval()
golden, out = load_file("llama.safetensors"), {}
for length in (1, 2, 3):
    for i in range(4):
        ids = golden[f"ids.{i}"].long()[None]
        answer = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24,
                                no_repeat_ngram_size=length, eos_token_id=[2, 5], pad_token_id=3)
        out[f"greedy.{length}.{i}"] = answer[0, ids.size(1):].to(torch.int32).contiguous()
save_file(out, "guard.safetensors")
