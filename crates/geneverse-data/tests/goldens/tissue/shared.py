"""What scanpy, anndata and pandas read from the real files: python shared.py ../shared/data (from the project's root).

Prints for each file the cells, the genes, the values that are not zero, and the sum of value * (cell + 1) * (gene + 1),
which tests/real_tissue.rs holds the readers to.
"""
import pathlib
import sys
import warnings

import anndata
import numpy as np
import pandas as pd
import scanpy
import scipy.sparse as sp

warnings.filterwarnings("ignore")
DATA = pathlib.Path(sys.argv[1])


def tell(name, table):
    x = sp.coo_matrix(table.X if table.X is not None else np.zeros(table.shape))
    x.eliminate_zeros()
    weighted = (x.data.astype(np.float64) * (x.row + 1.0) * (x.col + 1.0)).sum()
    print(f'    ("{name}", {table.n_obs}, {table.n_vars}, {x.nnz}, {weighted:.1f}),')


cells = DATA / "singlecell"
tell("singlecell/10x_v1/filtered_gene_bc_matrices_h5.h5", scanpy.read_10x_h5(cells / "10x_v1/filtered_gene_bc_matrices_h5.h5"))
tell("singlecell/10x_v1/filtered_gene_bc_matrices", scanpy.read_10x_mtx(cells / "10x_v1/filtered_gene_bc_matrices/hg19_chr21"))
tell("singlecell/10x_v3/filtered_feature_bc_matrix.h5", scanpy.read_10x_h5(cells / "10x_v3/filtered_feature_bc_matrix.h5"))
tell("singlecell/10x_v3/filtered_feature_bc_matrix", scanpy.read_10x_mtx(cells / "10x_v3/filtered_feature_bc_matrix"))
tell("singlecell/h5ad/v0.7.8.h5ad", anndata.read_h5ad(cells / "h5ad/v0.7.8.h5ad"))
tell("singlecell/h5ad/v0.11.4.h5ad", anndata.read_h5ad(cells / "h5ad/v0.11.4.h5ad"))
bundle = scanpy.read_10x_h5(DATA / "spatial/xenium_bundle/cell_feature_matrix.h5")
tell("spatial/xenium_bundle", bundle)
counts = pd.read_csv(DATA / "spatial/xenium_breast_rep1_counts_cells_x_genes.csv", index_col=0)
tell("spatial/xenium_breast_rep1_counts_cells_x_genes.csv", anndata.AnnData(counts))
places = pd.read_parquet(DATA / "spatial/xenium_bundle/cells.parquet").set_index("cell_id").loc[bundle.obs_names]
for end in ("x_centroid", "y_centroid"):
    print(end, f"{places[end].astype(np.float32).astype(np.float64).sum():.6f}")
# Otherwise pandas reads numbers to within a digit or two.
clusters = pd.read_csv(DATA / "spatial/xenium_breast_rep1_clusters.csv", float_precision="round_trip")
print(dict(sorted(clusters.anno.value_counts().items())), clusters.x.astype(np.float32).astype(float).sum(), clusters.y.astype(np.float32).astype(float).sum())
