"""Makes cartoon.json: the line that PyMOL's cartoon follows and the way its ribbons are wide, of made-up chains.

    apt install pymol
    cd crates/geneverse-data/tests/goldens && pymol -cq cartoon.py

A chain of alanines is drawn, its mesh exported, and of each section the middle and the direction of the long side are
taken. There are seven sections from one residue to the next, numbers are in ångström.
"""

import json
import math
import os

from pymol import cmd

STEPS = 7
FACES = {"L": 6, "H": 10, "S": 4}


def chain(kind, n=14):
    """Cα, C and O of `n` residues."""
    atoms = []
    for i in range(n):
        wave = math.sin(2.4 * i + 1) * 0.4
        if kind == "H":
            turn = math.radians(100 * i)
            ca = [2.3 * math.cos(turn), 2.3 * math.sin(turn), 1.5 * i]
            c = [1.7 * math.cos(turn + 0.5), 1.7 * math.sin(turn + 0.5), 1.5 * i + 1.1]
            o = [1.9 * math.cos(turn + 0.6) + 0.2 * wave, 1.9 * math.sin(turn + 0.6), 1.5 * i + 2.3]
        elif kind == "S":
            side = 1 if i % 2 else -1
            ca = [3.3 * i, 0.02 * i * i, 0.9 * side + 0.3 * wave]
            c = [3.3 * i + 1.2, 0.02 * i * i + 0.3 * side, 0.5 * side]
            o = [3.3 * i + 1.3, 0.02 * i * i + 1.5 * side, 0.5 * side + wave]
        else:
            ca = [2.9 * i + wave, 2.2 * math.sin(1.1 * i), 1.9 * math.cos(0.7 * i)]
            c = [ca[0] + 1.2, ca[1] + 0.8 * wave, ca[2] + 0.4]
            o = [c[0] + 0.1, c[1] + math.cos(0.5 * i), c[2] + math.sin(0.5 * i)]
        atoms.append({"CA": ca, "C": c, "O": o})
    return atoms


def mesh(kind, atoms):
    cmd.reinitialize()
    lines, serial = [], 0
    for i, residue in enumerate(atoms):
        n = [a + b for a, b in zip(residue["CA"], (-1.2, 0.1, -0.8))]
        for name, (x, y, z) in {"N": n, **residue}.items():
            serial += 1
            lines.append(
                f"ATOM  {serial:5}  {name:<3} ALA A{i + 1:4}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           {name[0]}"
            )
    cmd.read_pdbstr("\n".join(lines), "m")
    # Whatever the distances are, it is one chain.
    for i in range(1, len(atoms)):
        cmd.bond(f"resi {i} and name C", f"resi {i + 1} and name N")
    cmd.alter("all", f"ss='{kind}'")
    cmd.cartoon({"L": "loop", "H": "oval", "S": "rectangle"}[kind])
    cmd.hide("everything")
    cmd.show("cartoon")
    cmd.rebuild()
    cmd.set_view([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, -100, 0, 0, 0, 50, 150, -20])
    cmd.save("cartoon.obj")
    with open("cartoon.obj") as file:
        points = [[float(x) for x in line.split()[1:4]] for line in file if line.startswith("v ")]
    os.remove("cartoon.obj")
    return points


def sections(kind, atoms):
    """Middle and long direction of every section; a side of the surface is a strip of two triangles a section."""
    points, faces, count = mesh(kind, atoms), FACES[kind], (len(atoms) - 1) * STEPS
    corners = [[None] * faces for _ in range(count + 1)]
    for face in range(faces):
        for i in range(count):
            triangle = points[3 * 2 * (face * count + i) :][:3]
            corners[i][face], corners[i + 1][face] = triangle[1], triangle[0]
    result = []
    for ring in corners:
        middle = [sum(p[k] for p in ring) / faces for k in range(3)]
        long = max(([a - b for a, b in zip(p, middle)] for p in ring), key=lambda v: sum(x * x for x in v))
        if kind == "S":
            sides = ([a - b for a, b in zip(ring[i], ring[i + 1])] for i in (0, 1))
            long = max(sides, key=lambda v: math.hypot(*v))
        if kind == "H":
            # Of ten corners two are the farthest on one side: their mean is the long axis.
            sizes = [math.dist(p, middle) for p in ring]
            near = [i for i in range(10) if sizes[i] > 0.95 * max(sizes)]
            pair = next((i, j) for i in near for j in near if j == (i + 1) % 10)
            long = [0.5 * (ring[pair[0]][k] + ring[pair[1]][k]) - middle[k] for k in range(3)]
        size = math.hypot(*long)
        result.append({"middle": [round(x, 4) for x in middle], "wide": [round(x / size, 4) for x in long]})
    return result


golden = {}
for name, kind in (("coil", "L"), ("helix", "H"), ("strand", "S")):
    atoms = [{k: [round(x, 3) for x in v] for k, v in residue.items()} for residue in chain(kind)]
    golden[name] = {"atoms": atoms, "sections": sections(kind, atoms)}
with open("cartoon.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
