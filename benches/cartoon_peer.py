"""PyMOL's side of cartoon.py, run inside PyMOL: `pymol -cq cartoon_peer.py JOB.json`.

The job says what to do with each structure:

- `dress`: write its polymer as a PDB file with PyMOL's secondary structure as HELIX and SHEET records, so that both
  programs can be given the same one; of `like`, where it is named: the same protein with more than its Cα atoms;
- `draw`: ray-trace its cartoon from a given view, with or without what is not outline (shadows, fading).

Times go to the job's `times`, a JSON list of [structure, seconds] from loading to the written PNG.
"""

import json
import sys
import time

from pymol import cmd

COLOURS = {"H": [0.835, 0.369, 0.0], "S": [0.902, 0.722, 0.0], "": [0.561, 0.651, 0.698], "N": [0.0, 0.447, 0.698]}


def load(path):
    cmd.reinitialize()
    cmd.feedback("disable", "all", "everything")
    cmd.load(path, "m")
    cmd.remove("not polymer")


def atoms():
    states = {}
    cmd.iterate("m and name CA", "states[(chain, resi)] = ss", space={"states": states})
    # A first state only, and of alternate locations the first: what the picture shows.
    return [(a, states.get((a.chain, a.resi), "")) for a in cmd.get_model('m and (alt "" or alt A)', state=1).atom]


def dress(path, out, like=None):
    lent = {}
    if like:
        load(like)
        lent = {atom.resi: state for atom, state in atoms()}
    load(path)
    runs, lines, serial = [], [], 0
    for atom, state in atoms():
        state = lent.get(atom.resi, state)
        serial += 1
        chain, number = (atom.chain or " ")[0], int("".join(c for c in atom.resi if c in "-0123456789"))
        code = atom.resi[-1] if atom.resi[-1].isalpha() else " "
        name = atom.name if len(atom.name) == 4 else f" {atom.name:<3}"
        x, y, z = atom.coord
        lines.append(
            f"ATOM  {serial % 100000:5} {name} {atom.resn[:3]:>3} {chain}{number:4}{code}   "
            f"{x:8.3f}{y:8.3f}{z:8.3f}{1.0:6.2f}{atom.b:6.2f}          {atom.symbol[:2]:>2}"
        )
        place = (atom.resn[:3], chain, number, code)
        if runs and runs[-1][0] == (state, chain) and runs[-1][2] == place:
            continue
        if runs and runs[-1][0] == (state, chain):
            runs[-1][2] = place
        else:
            runs.append([(state, chain), place, place])
    head = []
    for (state, chain), (name, _, first, code), (last_name, _, last, last_code) in runs:
        n = len(head) % 999 + 1
        if state == "H":
            head.append(f"HELIX  {n:3} {n:3} {name:>3} {chain} {first:4}{code} {last_name:>3} {chain} {last:4}{last_code} 1")
        if state == "S":
            head.append(f"SHEET  {n:3} {n:3} 1 {name:>3} {chain}{first:4}{code} {last_name:>3} {chain}{last:4}{last_code} 0")
    with open(out, "w") as file:
        file.write("\n".join([*head, *lines, "END", ""]))


def draw(path, out, view, size, outline):
    load(path)
    cmd.hide("everything")
    cmd.show("cartoon")
    cmd.bg_color("white")
    # Dashes over gaps are no part of the fold.
    cmd.set("cartoon_gap_cutoff", 0)
    for name, colour in COLOURS.items():
        cmd.set_color(f"c{name}", colour)
    cmd.color("c")
    cmd.color("cH", "ss H")
    cmd.color("cS", "ss S")
    cmd.color("cN", "polymer.nucleic")
    if outline:
        cmd.set("ray_opaque_background", 0)
        cmd.set("depth_cue", 0)
        cmd.set("ray_shadows", 0)
    cmd.set_view(view)
    cmd.ray(size, size)
    cmd.png(out)


def main():
    with open(sys.argv[-1]) as file:
        job = json.load(file)
    times = []
    for item in job["items"]:
        begun = time.perf_counter()
        if job["do"] == "dress":
            dress(item["structure"], item["out"], item.get("like"))
        else:
            draw(item["structure"], item["out"], item["view"], job["size"], job["outline"])
        times.append([item["structure"], time.perf_counter() - begun])
    with open(job["times"], "w") as file:
        json.dump(times, file)


main()
