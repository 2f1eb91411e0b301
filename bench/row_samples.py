#!/usr/bin/env python3
"""Regression in the first power with a tenth of gross outliers by statsmodels' QuantReg and scikit-learn's QuantileRegressor: beside row_samples.c.

    row_samples.py [ROWS ...]     each peer at each size, until one takes over two minutes
"""
import sys
import time

import numpy as np

D = 10


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, D))
    y = 1 + x @ (np.arange(1, D + 1) / D) + rng.laplace(size=n)
    far = rng.random(n) < 0.1
    y[far] += 300 * rng.standard_normal(far.sum())
    return x, y


def by_statsmodels(x, y):
    from statsmodels.regression.quantile_regression import QuantReg
    fit = QuantReg(y, np.column_stack([x, np.ones(len(y))])).fit(q=0.5)
    return fit.params[:D], fit.params[D]


def by_sklearn(x, y):
    from sklearn.linear_model import QuantileRegressor
    fit = QuantileRegressor(quantile=0.5, alpha=0, solver='highs').fit(x, y)
    return fit.coef_, fit.intercept_


sizes = [int(float(a)) for a in sys.argv[1:]] or [10000, 100000, 1000000]
for name, peer in (('statsmodels QuantReg', by_statsmodels), ('scikit-learn QuantileRegressor', by_sklearn)):
    for n in sizes:
        x, y = rows(n)
        start = time.perf_counter()
        try:
            w, b = peer(x, y)
        except ImportError as error:
            print(f'{name}: {error}')
            break
        seconds = time.perf_counter() - start
        print(f'{name:32} {n:9d} x {D}: {1e3 * seconds:10.1f} ms, mean |residual| {np.abs(y - x @ w - b).mean():.6f}', flush=True)
        if seconds > 120:
            break
