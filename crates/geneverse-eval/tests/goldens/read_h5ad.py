#!/usr/bin/env python3
"""Reads small.h5ad, which the test in src/h5ad.rs writes, as scanpy's users do, and says whether it is what was meant.

    python read_h5ad.py [FILE]        # anndata 0.12.19, h5py 3.16.0, pandas 2.3.3
"""
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np

path = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "small.h5ad"
data = anndata.read_h5ad(path)
print(data)
with h5py.File(path) as file:
    file.visititems(lambda name, node: print(name, dict(node.attrs)))
if len(sys.argv) == 1:
    assert list(data.obs_names) == ["GLI1", "PTCH1", "Ä-gene"]
    assert list(data.obs.columns) == ["leiden", "subject", "kind-of gene", "leiden_"]
    assert list(data.obs["leiden"].cat.categories) == ["0", "2", "10"] and list(data.obs["leiden"]) == ["0", "10", "2"]
    assert list(data.obs["kind-of gene"].isna()) == [False, True, False]
    assert np.array_equal(data.obsm["X_umap"], np.array([[1, 2], [3, 4], [5, 6.5]], np.float32))
    assert np.array_equal(data.obsm["X_vectors"], np.array([[0.5, -1], [2, 3], [4, 5]], np.float32))
    data.write_h5ad("/tmp/again.h5ad")
    assert anndata.read_h5ad("/tmp/again.h5ad").obs.equals(data.obs)
    print("as it was meant")
