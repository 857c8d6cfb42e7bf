"""What transformers makes of the bundled base model: token ids, logits and a greedy continuation.

    peer/bin/python make_nano_goldens.py      (the environment of make_llama_goldens.py)

Writes nano.safetensors beside itself. Run again whenever models/geneverse-nano changes.
"""
import os
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

here = os.path.dirname(os.path.abspath(__file__))
folder = os.path.join(here, "../../../../models/geneverse-nano")
text = "The official symbol of this gene is GLI1; see HGNC:4317 (β-catenin)."
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
ids = tokenizer(text, return_tensors="pt")["input_ids"]
with torch.no_grad():
    logits = model(input_ids=ids).logits[0]
    greedy = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24)[0, ids.size(1):]
# Every 16th token of the vocabulary tells as much as all of them, and keeps the file small.
save_file({"ids": ids[0].int(), "logits": logits[:, ::16].contiguous(), "greedy": greedy.int()},
          os.path.join(here, "nano.safetensors"))
