"""The peer of `clusters.py`: the same chain in scikit-learn, umap-learn and leidenalg. Prints one JSON line.

    python benches/clusters_peer.py run --texts texts.tsv --out peer.npz
    python benches/clusters_peer.py check --ours clusters --peer peer.npz

run    TfidfVectorizer (sublinear_tf, English stop words, min_df 2), TruncatedSVD (100), NearestNeighbors (brute force,
       cosine, 15 with the point itself), umap-learn's fuzzy graph, leidenalg (modularity, until nothing improves), and
       umap-learn's layout from that graph, in parallel and without a seed, which is its fastest way. What numba compiles
       is compiled before the clock starts; `process_seconds` has imports and compiling too.
check  modularity of both divisions on one graph, and of leidenalg's on that graph over five seeds; trustworthiness of both
       planes. The graph, and what is near, come from the vectors that `analyze clusters` wrote.
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import argparse
import csv
import json
import resource
import warnings
from pathlib import Path

import igraph
import leidenalg
import numpy as np
import umap.umap_ as umap
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

warnings.filterwarnings("ignore", module="umap")
NEIGHBORS = 15


def neighbors(vectors: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of each, itself first."""
    search = NearestNeighbors(n_neighbors=NEIGHBORS, metric=metric, algorithm="brute").fit(vectors)
    distances, places = search.kneighbors(vectors)
    # Of equal vectors another can come first.
    own = np.arange(len(vectors))
    for row in np.nonzero(places[:, 0] != own)[0]:
        at = np.nonzero(places[row] == row)[0]
        places[row, at[0] if len(at) else -1] = places[row, 0]
        places[row, 0] = row
        distances[row, 0] = 0
    return places.astype(np.int32), distances.astype(np.float32)


def fuzzy(vectors: np.ndarray, places: np.ndarray, distances: np.ndarray, metric: str):
    graph, _, _ = umap.fuzzy_simplicial_set(
        vectors, NEIGHBORS, np.random.RandomState(0), metric, knn_indices=places, knn_dists=distances
    )
    return graph


def to_igraph(matrix) -> igraph.Graph:
    upper = matrix.tocoo()
    keep = upper.row < upper.col
    edges = np.column_stack([upper.row[keep], upper.col[keep]])
    return igraph.Graph(n=matrix.shape[0], edges=edges, edge_attrs={"weight": upper.data[keep].astype(float)})


def leiden(graph: igraph.Graph, seed: int) -> leidenalg.VertexPartition.MutableVertexPartition:
    return leidenalg.find_partition(
        graph, leidenalg.ModularityVertexPartition, weights="weight", n_iterations=-1, seed=seed
    )


def run(args: argparse.Namespace) -> dict:
    # Compiles what is compiled, on a few points.
    few = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    umap.UMAP(n_neighbors=NEIGHBORS, metric="cosine", n_epochs=11, precomputed_knn=(*neighbors(few, "cosine"), None)).fit(few)
    lines = [line.split("\t", 1) for line in args.texts.read_text().split("\n") if "\t" in line]
    seconds, before = {}, time.perf_counter()

    def lap(step: str) -> None:
        nonlocal before
        seconds[step] = time.perf_counter() - before
        before = time.perf_counter()

    matrix = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2).fit_transform(t for _, t in lines)
    vectors = TruncatedSVD(100, random_state=0).fit_transform(matrix).astype(np.float32)
    lap("vectors")
    places, distances = neighbors(vectors, "cosine")
    lap("neighbors")
    fitted = umap.UMAP(n_neighbors=NEIGHBORS, metric="cosine", min_dist=0.1, precomputed_knn=(places, distances, None)).fit(vectors)
    lap("graph and umap")
    graph = to_igraph(fitted.graph_)
    partition = leiden(graph, 0)
    lap("leiden")
    np.savez(args.out, places=fitted.embedding_, clusters=np.array(partition.membership))
    return {
        "seconds": seconds,
        "all_seconds": sum(seconds.values()),
        "process_seconds": time.perf_counter() - BEGUN,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "items": len(lines),
        "clusters": len(partition),
        "modularity": graph.modularity(partition.membership, weights="weight"),
    }


def check(args: argparse.Namespace) -> dict:
    vectors = np.load(args.ours / "embedding.npy")
    with open(args.ours / "umap.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    ours = np.array([[float(row["x"]), float(row["y"])] for row in rows])
    clusters = [int(row["cluster"]) for row in rows]
    graph = to_igraph(fuzzy(vectors, *neighbors(vectors, args.metric), args.metric))
    theirs = [leiden(graph, seed).membership for seed in range(5)]
    modularity = lambda membership: graph.modularity(membership, weights="weight")
    said = {
        "our_modularity": modularity(clusters),
        "leidenalg_modularity": [modularity(membership) for membership in theirs],
    }
    if args.trust:
        trust = lambda places: float(trustworthiness(vectors, places, n_neighbors=15, metric=args.metric))
        said["our_trustworthiness"] = trust(ours)
        if args.peer:
            said["umap_learn_trustworthiness"] = trust(np.load(args.peer)["places"])
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["run", "check"])
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ours", type=Path)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--metric", default="cosine")
    parser.add_argument("--trust", action="store_true", help="trustworthiness too: memory grows with the square")
    args = parser.parse_args()
    print(json.dumps({"run": run, "check": check}[args.work](args)))


if __name__ == "__main__":
    main()
