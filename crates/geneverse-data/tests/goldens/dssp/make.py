"""Eight-state assignments of mkdssp (Debian's dssp 4.2.2) for structure files, as FILE<TAB>CHAIN<TAB>STATES, a loop as -.

mkdssp takes mmCIF as it is. Of PDB files it wants a HEADER record, a whole CRYST1 record and one model: these are put right
before it reads. It may ask for all memory there is on a file that it does not like, so it is given 4 GB and a minute.
Usage: python3 make.py OUT FILE…
"""
import gzip, os, resource, subprocess, sys, tempfile


def first_model_alone(path):
    data = open(path, "rb").read()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("latin-1")
    kept, models = [], 0
    for line in text.splitlines():
        models += line.startswith("MODEL ")
        if models <= 1 and line[:6] in ("ATOM  ", "HETATM") or line[:3] == "TER":
            if models <= 1:
                kept.append(line)
    kept.insert(0, "HEADER    PROTEIN                                 01-JAN-00   1XXX")
    kept.insert(1, "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1")
    return "\n".join(kept + ["END", ""])


def mkdssp(path):
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    command = ["mkdssp", "--output-format", "dssp", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=limit)


chains = {}
for path in sys.argv[2:]:
    if path.endswith(".cif"):
        done = mkdssp(path)
    else:
        with tempfile.TemporaryDirectory() as folder:
            pdb = os.path.join(folder, "x.pdb")
            open(pdb, "w").write(first_model_alone(path))
            done = mkdssp(pdb)
    rows = done.stdout.split("  #  RESIDUE AA", 1)
    if len(rows) < 2:
        print(path, "failed:", done.stderr.strip()[:100], file=sys.stderr)
        continue
    for row in rows[1].splitlines()[1:]:
        if row[13] != "!":
            chains.setdefault((os.path.basename(path), row[11]), []).append(row[16].replace(" ", "-"))
with open(sys.argv[1], "w") as out:
    for (name, chain), states in chains.items():
        out.write(f"{name}\t{chain}\t{''.join(states)}\n")
