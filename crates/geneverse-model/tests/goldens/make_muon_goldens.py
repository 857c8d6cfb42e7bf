"""Writes muon.json: steps of Muon, computed in double precision after its definition and held against PyTorch's.

    python3 make_muon_goldens.py

PyTorch's own (torch.optim.Muon) iterates in bfloat16, so that it can only be a coarse witness (3 % of a step).
"""

import json
import pathlib

import numpy
import torch

RATE, DECAY, MOMENTUM = 0.02, 0.1, 0.95


def orthogonal(g):
    x = g / max(numpy.linalg.norm(g), 1e-7)
    if x.shape[0] > x.shape[1]:
        return orthogonal_flat(x.T).T
    return orthogonal_flat(x)


def orthogonal_flat(x):
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


def main():
    draw = numpy.random.default_rng(5)
    goldens = []
    for shape in [(6, 6), (4, 10), (12, 5)]:
        round_ = lambda a: a.astype(numpy.float32).astype(float)
        start = round_(draw.normal(size=shape) * 0.1)
        gradients = [round_(draw.normal(size=shape)) for _ in range(3)]
        weight, momentum = start.copy(), numpy.zeros(shape)
        for g in gradients:
            momentum += (1 - MOMENTUM) * (g - momentum)
            update = orthogonal(g + MOMENTUM * (momentum - g))
            weight = weight * (1 - RATE * DECAY) - RATE * 0.2 * max(shape) ** 0.5 * update
        parameter = torch.nn.Parameter(torch.tensor(start, dtype=torch.float32))
        witness = torch.optim.Muon(
            [parameter], lr=RATE, weight_decay=DECAY, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
        )
        for g in gradients:
            parameter.grad = torch.tensor(g, dtype=torch.float32)
            witness.step()
        off = numpy.abs(parameter.detach().numpy() - weight).max()
        moved = numpy.abs(weight - start).max()
        assert off < 0.03 * moved, (shape, off, moved)
        flat = lambda a: [round(float(v), 9) for v in a.flatten()]
        goldens.append(
            {
                "shape": shape,
                "start": flat(start),
                "gradients": [flat(g) for g in gradients],
                "rate": RATE,
                "keep": 1 - RATE * DECAY,
                "after": flat(weight),
            }
        )
    pathlib.Path(__file__).with_name("muon.json").write_text(json.dumps(goldens) + "\n")


main()
