"""Greedy answers with transformers' repetition_penalty and no_repeat_ngram_size.

    python make_guard_goldens.py      (made with torch 2.15.0, transformers 5.24.0)

On the model and the prompts of make_llama_goldens.py (llama/, ids.* of llama.safetensors). Writes guard.safetensors:
greedy.N.i, the 24 tokens after prompt i in which no run of N tokens comes twice, prompt included; greedy.N.P.i, the same
with a repetition penalty of P (N = 0 for runs as they come). Each prompt is answered alone, and the penalty's answers
again as one batch, padded on the left, which has to give the same.
"""
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained("llama", attn_implementation="eager").float().eval()
golden, out, PAD = load_file("llama.safetensors"), {}, 3
prompts = [golden[f"ids.{i}"].long() for i in range(4)]


def answers(ids, mask, **controls):
    found = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=24, eos_token_id=[2, 5],
                           pad_token_id=PAD, return_dict_in_generate=True, output_scores=True, **controls)
    best = torch.stack([step.topk(2).values for step in found.scores])
    # A tie that rounding decides would be no test.
    gap = (best[..., 0] - best[..., 1]).min()
    assert gap > 1e-3, gap
    return found.sequences[:, ids.size(1):].to(torch.int32)


def alone(**controls):
    return [answers(ids[None], torch.ones_like(ids[None]), **controls)[0].contiguous() for ids in prompts]


for length in (1, 2, 3):
    for i, answer in enumerate(alone(no_repeat_ngram_size=length)):
        out[f"greedy.{length}.{i}"] = answer
longest = max(map(len, prompts))
padded = torch.stack([torch.cat([torch.full((longest - len(ids),), PAD), ids]) for ids in prompts])
mask = (padded != PAD).long()
assert all((ids != PAD).all() for ids in prompts)
for length, penalty in [(0, 0.8), (0, 1.2), (0, 5.0), (2, 1.2), (3, 0.8)]:
    controls = dict(repetition_penalty=penalty, no_repeat_ngram_size=length)
    apart = alone(**controls)
    # Its guard against runs counts the padding, its penalty does not.
    if length == 0:
        for answer, again in zip(apart, answers(padded, mask, **controls)):
            assert torch.equal(answer, again[:len(answer)]) and (again[len(answer):] == PAD).all()
    for i, answer in enumerate(apart):
        out[f"greedy.{length}.{penalty}.{i}"] = answer
save_file(out, "guard.safetensors")
