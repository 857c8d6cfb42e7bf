"""Writes marker_goldens.json: Wilcoxon rank sums by scanpy's rank_genes_groups, on a small tissue made here, with and without
ties taken into account, cells without a type in the rest or left out, normalised or as it is; and of a table of real cells,
where one is named, marker_real_goldens.json with the results alone.

    pip install scanpy==1.11.5 && python make_marker_goldens.py [COUNTS_CSV CLUSTERS_CSV]
"""
import json
import pathlib
import sys
import warnings

import anndata
import numpy
import pandas
import scanpy
import scipy.sparse

warnings.filterwarnings("ignore")


def ranked(values, labels, genes, cases):
    out = []
    for name, tie_correct, labelled_only, normalised in cases:
        x = values.astype("float32")
        data = anndata.AnnData(scipy.sparse.csr_matrix(x))
        data.var_names = genes
        data.obs["type"] = pandas.Categorical(labels)
        if normalised:
            # The median of the cells that have counts, as for a dense matrix; of a sparse one scanpy takes that of all.
            totals = x.sum(1)
            scanpy.pp.normalize_total(data, target_sum=float(numpy.median(totals[totals > 0])))
            # NumPy's log1p in single precision has another last bit with AVX-512 than without, which makes and unmakes ties:
            # scanpy's own scores differ by 1e-5 between such machines, p-values by 1 %. Rounded from double precision it has one result.
            data.X.data = numpy.log1p(data.X.data.astype("float64")).astype("float32")
            data.uns["log1p"] = {"base": None}
        if labelled_only:
            data = data[[label is not None for label in labels]].copy()
        scanpy.tl.rank_genes_groups(data, "type", method="wilcoxon", tie_correct=tie_correct, pts=True)
        found = data.uns["rank_genes_groups"]
        types = {}
        for kind in found["names"].dtype.names:
            order = {gene: place for place, gene in enumerate(found["names"][kind])}
            column = lambda field: [float(found[field][kind][order[gene]]) for gene in genes]
            types[kind] = {field: column(field) for field in ["scores", "logfoldchanges", "pvals", "pvals_adj"]}
            types[kind]["pts"] = [float(found["pts"][kind][gene]) for gene in genes]
            types[kind]["pts_rest"] = [float(found["pts_rest"][kind][gene]) for gene in genes]
        out.append({"name": name, "tie_correct": tie_correct, "labelled_only": labelled_only, "normalised": normalised,
                    "types": types})
    return out


def main():
    rng = numpy.random.default_rng(4)
    kinds = ["B", "Mast", "T"]
    labels = [None if u < 0.1 else kinds[k] for u, k in zip(rng.random(90), rng.choice(3, 90, p=[0.5, 0.1, 0.4]))]
    genes = [f"G{n}" for n in range(12)]
    values = rng.negative_binomial(1, 0.45, size=(90, 12))
    for gene, kind in enumerate(kinds):
        values[:, gene] += numpy.array([label == kind for label in labels]) * rng.poisson(4, 90)
    values[:, 9] = 0   # nobody has it
    values[:, 10] = 1  # all have it
    values[3] = 0      # a cell without counts
    cases = [("counts", False, False, False), ("normalised", False, False, True), ("ties", True, False, True),
             ("labelled", False, True, True)]
    golden = {"scanpy": scanpy.__version__, "genes": genes, "labels": labels, "values": values.tolist(),
              "cases": ranked(values, labels, genes, cases)}
    path = pathlib.Path(__file__).with_name("marker_goldens.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")

    if len(sys.argv) == 3:
        counts = pandas.read_csv(sys.argv[1], index_col=0)
        of = pandas.read_csv(sys.argv[2]).set_index("cells")["cluster"]
        counts = counts.loc[[cell for cell in counts.index if cell in of.index]]
        labels = [of[cell] for cell in counts.index]
        cases = [("normalised", False, False, True), ("ties", True, False, True)]
        real = {"genes": list(counts.columns),
                "cases": ranked(counts.to_numpy(), labels, list(counts.columns), cases)}
        path.with_name("marker_real_goldens.json").write_text(json.dumps(real, separators=(",", ":")) + "\n")


main()
