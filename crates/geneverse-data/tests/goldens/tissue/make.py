"""Makes the goldens of the tissue readers: python make.py (h5py, anndata, pandas, pyarrow).

One matrix, 60 cells and 12 features, in the forms that programs write; tests/tissue.rs knows its values by the same
formulas: feature f of cell c is (c * 7 + f * 5) % 11 - 7 where that is above zero, else zero.
"""
import gzip
import pathlib
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
CELLS, FEATURES = 60, 12
c, f = np.meshgrid(np.arange(CELLS), np.arange(FEATURES), indexing="ij")
X = np.maximum((c * 7 + f * 5) % 11 - 7, 0).astype(np.float32)
cells = [f"cell-{i}" for i in range(CELLS)]
genes = [f"GENE{i}" for i in range(FEATURES)]
genes[7] = "GENE2"  # a symbol that is there twice
genes[11] = "NegControlProbe_1"  # a control
types = [["B", "T", "Endothélial"][i % 3] for i in range(CELLS)]
places = np.stack([np.arange(CELLS) * 2.5, np.arange(CELLS) % 9], 1)


def tenx(name, libver, **how):
    matrix = sp.csc_matrix(X.T)
    with h5py.File(HERE / name, "w", libver=libver) as file:
        # Many attributes: in newer files they lie in a heap of their own.
        for i in range(20):
            file.attrs[f"attribute_{i}"] = "x" * i
        group = file.create_group("matrix")
        group.create_dataset("barcodes", data=np.array(cells, "S"), **how)
        group.create_dataset("data", data=matrix.data.astype(np.int32), **how)
        group.create_dataset("indices", data=matrix.indices.astype(np.int64), **how)
        group.create_dataset("indptr", data=matrix.indptr.astype(np.int64), **how)
        group.create_dataset("shape", data=np.array(matrix.shape, np.int32))
        features = group.create_group("features")
        features.create_dataset("id", data=np.array(genes, "S"))
        features.create_dataset("name", data=np.array(genes, "S"))
        kinds = ["Gene Expression"] * FEATURES
        kinds[10] = "Negative Control Codeword"
        features.create_dataset("feature_type", data=np.array(kinds, "S"))


tenx("earliest_gzip_shuffle.h5", "earliest", compression="gzip", shuffle=True, chunks=(13,))
tenx("v110_lzf_fixed_array.h5", "v110", compression="lzf", chunks=(13,))
tenx("v110_extensible_array.h5", "v110", chunks=(13,), maxshape=(None,), compression="gzip", fletcher32=True)
# A layout of HDF5 2.0 that hdf5-pure 0.47 does not know.
tenx("latest_gzip.h5", "latest", compression="gzip", chunks=(13,))


def annotated(x):
    obs = pd.DataFrame({"cell_type": pd.Categorical(types), "batch": ["a"] * CELLS}, index=cells)
    table = anndata.AnnData(x, obs=obs, var=pd.DataFrame(index=genes))
    table.obsm["spatial"] = places
    return table


annotated(X).write_h5ad(HERE / "dense_lzf.h5ad", compression="lzf")
annotated(sp.csr_matrix(X)).write_h5ad(HERE / "csr_gzip.h5ad", compression="gzip")
annotated(sp.csc_matrix(X)).write_h5ad(HERE / "csc.h5ad")
with h5py.File(HERE / "csc.h5ad") as old, h5py.File(HERE / "csc_v110.h5ad", "w", libver="v110") as new:
    for name in old:
        old.copy(name, new)
(HERE / "csc.h5ad").unlink()

# Tables of cells: 150 rows.
rows = np.arange(150)
table = pd.DataFrame({
    "cell_id": [f"cell-{i}" for i in rows],
    "x_centroid": np.where(rows == 3, np.nan, rows * 1.5),
    "y_centroid": (rows * 0.25).astype(np.float32),
    "cell_type": [None if i % 7 == 5 else ["B", "T", "Endothélial"][i % 3] for i in rows],
    "count": (rows - 40).astype(np.int32),
    "inside": rows % 4 == 0,
})
table = pa.Table.from_pandas(table)
for name, how in {
    "plain": {"compression": "none", "use_dictionary": False},
    "snappy": {},
    "gzip": {"compression": "gzip"},
    "zstd": {"compression": "zstd"},
    "v2": {"data_page_version": "2.0", "compression": "zstd"},
    "groups": {"row_group_size": 40, "data_page_size": 100},
    "fallback": {"dictionary_pagesize_limit": 100, "data_page_size": 100},
    "lz4": {"compression": "lz4"},
    "delta": {"use_dictionary": False, "column_encoding": {"cell_id": "DELTA_BYTE_ARRAY"}},
}.items():
    pq.write_table(table, HERE / f"cells_{name}.parquet", **how)
