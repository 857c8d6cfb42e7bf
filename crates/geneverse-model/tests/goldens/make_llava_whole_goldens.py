"""Gradients of every weight of a small random LLaVA but its tower's, and ten losses with a rate for the projector.

    peer/bin/python make_llava_whole_goldens.py      (as make_llava_goldens.py says, with pillow==11.3.0)

Model, sequences and pictures are those of make_llava_goldens.py, which is run first. Writes llava_whole.safetensors:

    whole.<tensor>              gradient of the mean loss over all labels, by the tensor's name in a checkpoint of the decoder
    losses, lr, projector_lr    ten steps of AdamW, the projector at a learning rate of its own
"""
import make_llava_goldens as llava
import torch
from golden import write

base = llava.load("llava")
_, pixels = llava.processed(llava.MODELS["llava"])
with torch.no_grad(): rows = len(llava.features_of(base, pixels[0]))
sequences = llava.make_sequences(llava.MODELS["llava"], rows)
for name, p in base.named_parameters(): p.requires_grad = "vision_tower" not in name


def file_name(name):
    return name.replace("model.language_model.", "model.").replace("model.multi_modal_projector.", "multi_modal_projector.")


out = {"whole." + file_name(name): g for name, g in llava.gradients(base, sequences, pixels).items()}
out["losses"] = llava.losses(base, sequences, pixels, 3e-3, 1e-2)
out["lr"], out["projector_lr"] = torch.tensor([3e-3]), torch.tensor([1e-2])
write(out, "llava_whole.safetensors")
print({name: tuple(t.shape) for name, t in out.items()}, out["losses"].tolist())
