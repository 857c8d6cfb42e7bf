#!/usr/bin/env python3
"""Makes the goldens of TF-IDF, SVD, neighbours, Leiden and UMAP from the programs that are the measure of each.

    pip install scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 umap-learn==0.5.12
    OMP_NUM_THREADS=1 python make_cluster_goldens.py

Writes tf_idf_goldens.json, svd_goldens.json, neighbor_goldens.json and umap_goldens.json beside itself. Texts are our own,
numbers come from a seeded generator.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

HERE = Path(__file__).parent

TEXTS = [
    "This gene encodes a zinc finger protein that binds DNA; the protein activates Hedgehog target genes.",
    "The encoded kinase phosphorylates the kinase of the kinase cascade. Kinase, KINASE and kinases!",
    "",
    "a b c ! ? 7",
    "Interleukin-2 (IL-2) and IL2RA: a cytokine and its receptor, alpha_subunit, of T cells",
    "The β-catenin pathway; α-helices, Größe, ÉCOLE, naïve T-cell ΣΑΣ and İstanbul",
    "microRNAs are short (20-24 nt) non-coding RNAs that are involved in post-transcriptional regulation of genes",
    "microRNAs are short (20-24 nt) non-coding RNAs that are involved in post-transcriptional regulation of genes",
    "x1 x_2 __ _a 3' 5'-end ½ ² Ⅷ 遺伝子 ген",
    "This gene is a pseudogene of the zinc finger kinase, and it is not expressed in the cells that express genes.",
    "protein\tprotein\nprotein\u00a0protein\u2028protein",
    "don't won't gene's l'école",
]


def write(name, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    (HERE / name).write_text(text + "\n", encoding="utf-8")


def tf_idf():
    cases = []
    for sublinear, stop, least, most in [
        (False, False, 1, 1.0),
        (True, False, 1, 1.0),
        (True, True, 1, 1.0),
        (True, True, 2, 0.5),
        (False, True, 0.15, 4),
        (True, False, 3, 1.0),
    ]:
        vectorizer = TfidfVectorizer(
            sublinear_tf=sublinear, stop_words="english" if stop else None, min_df=least, max_df=most
        )
        matrix = vectorizer.fit_transform(TEXTS).tocsr()
        matrix.sort_indices()
        coo = matrix.tocoo()
        cases.append(
            {
                "sublinear": sublinear,
                "without_stop_words": stop,
                "least": least,
                "most": most,
                "words": list(map(str, vectorizer.get_feature_names_out())),
                "idf": vectorizer.idf_.tolist(),
                "entries": [[int(r), int(c), float(v)] for r, c, v in zip(coo.row, coo.col, coo.data)],
            }
        )
    write("tf_idf_goldens.json", {"texts": TEXTS, "cases": cases})


def svd():
    rng = np.random.default_rng(7)
    height, width, rank = 60, 45, 8
    dense = np.where(rng.random((height, width)) < 0.15, rng.random((height, width)), 0.0)
    # A few strong directions, as topics in texts are.
    for topic in range(6):
        rows, columns = rng.choice(height, 12, False), rng.choice(width, 7, False)
        dense[np.ix_(rows, columns)] += 1.0 + topic / 2
    dense = np.round(dense, 3)
    _, values, right = np.linalg.svd(dense)
    first = right[0] * np.sign(right[0][np.argmax(np.abs(right[0]))])
    entries = [[int(r), int(c), float(dense[r, c])] for r, c in zip(*np.nonzero(dense))]
    write(
        "svd_goldens.json",
        {"height": height, "width": width, "entries": entries, "values": values[:rank].tolist(), "first": first.tolist()},
    )


def brute_force(vectors, count, metric):
    x = vectors.astype(np.float64)
    if metric == "cosine":
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        distances = 1 - unit @ unit.T
    else:
        distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    places = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return places, np.take_along_axis(distances, places, axis=1)


def vectors_of(seed, n, dimensions):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(5, dimensions)) * 2
    x = centres[rng.integers(0, 5, n)] + rng.normal(size=(n, dimensions))
    return np.round(x, 3).astype(np.float32)


def neighbors():
    dimensions, count = 7, 6
    vectors = vectors_of(1, 150, dimensions)
    golden = {"dimensions": dimensions, "count": count, "vectors": np.round(vectors.ravel().astype(float), 3).tolist()}
    for metric in ["cosine", "euclidean"]:
        places, distances = brute_force(vectors, count, metric)
        golden[metric] = places.ravel().tolist()
        golden[f"{metric}_distances"] = np.round(distances.ravel(), 9).tolist()
    write("neighbor_goldens.json", golden)


def umap():
    import umap.umap_ as umap

    vectors = vectors_of(2, 120, 5)
    # Equal vectors, whose nearest neighbours are at no distance.
    vectors[100:112] = vectors[100]
    count = 10
    places, distances = brute_force(vectors, count - 1, "euclidean")
    own = np.arange(len(vectors))[:, None]
    with_self = np.hstack([own, places]).astype(np.int32)
    lengths = np.hstack([np.zeros_like(own, dtype=np.float32), distances.astype(np.float32)])
    sigmas, rhos = umap.smooth_knn_dist(lengths, float(count))
    graph, _, _ = umap.fuzzy_simplicial_set(
        vectors, count, np.random.RandomState(0), "euclidean", knn_indices=with_self, knn_dists=lengths
    )
    graph = graph.tocsr()
    graph.eliminate_zeros()
    graph.sort_indices()
    coo = graph.tocoo()
    curves = [
        [spread, least, *map(float, umap.find_ab_params(spread, least))]
        for spread, least in [(1.0, 0.1), (1.0, 0.0), (1.0, 0.5), (1.0, 0.99), (2.0, 0.25), (0.5, 0.01)]
    ]
    write(
        "umap_goldens.json",
        {
            "count": count - 1,
            "places": places.ravel().tolist(),
            "distances": [float(f"{d:.8g}") for d in lengths[:, 1:].ravel()],
            "sigmas": [float(f"{s:.7g}") for s in sigmas],
            "rhos": [float(f"{r:.7g}") for r in rhos],
            "entries": [[int(r), int(c), float(f"{v:.7g}")] for r, c, v in zip(coo.row, coo.col, coo.data)],
            "curves": curves,
        },
    )


if __name__ == "__main__":
    tf_idf()
    svd()
    neighbors()
    umap()
