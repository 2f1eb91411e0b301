#!/usr/bin/env python3
"""nigh's losses beside scikit-learn at equal objective, in turns, in CPU seconds of one thread: logistic regression, Huber, ridge, k-means, and
the choice of a penalty (30 values, 5 folds). Objectives are computed here, by NumPy, for both.

    loss_beside.py [build/libnigh.so] [--rows N] [--columns D] [--turns T] [--only PART]
"""
import argparse
import ctypes as c
import os
import statistics
import time
import warnings

for variable in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[variable] = '1'
for variable in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE'):
    os.environ.pop(variable, None)
import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import HuberRegressor, LogisticRegression, LogisticRegressionCV, Ridge

warnings.filterwarnings('ignore')
arguments = argparse.ArgumentParser()
arguments.add_argument('library', nargs='?', default=os.path.join(os.path.dirname(__file__), '..', 'build', 'libnigh.so'))
arguments.add_argument('--rows', type=int, default=1000000)
arguments.add_argument('--columns', type=int, default=20)
arguments.add_argument('--turns', type=int, default=3)
arguments.add_argument('--only', default='')
arguments = arguments.parse_args()
lib = c.CDLL(arguments.library)


class Rows(c.Structure):
    _fields_ = [('n', c.c_int64), ('d', c.c_int64), ('x', c.c_void_p), ('y', c.c_void_p), ('weight', c.c_void_p)]


class Fit(c.Structure):
    _fields_ = [('cost', c.c_double), ('gap', c.c_double), ('iterations', c.c_int64), ('passes', c.c_int64), ('met', c.c_bool)]


class FitOptions(c.Structure):
    _fields_ = [('start', c.c_void_p), ('tolerance', c.c_double), ('iterations', c.c_int64)]


context = c.c_void_p()
lib.nigh_context_new(c.byref(context))
lib.nigh_context_set_threads(context, 1)
lib.nigh_message.restype = c.c_char_p


def check(status):
    if status:
        raise SystemExit(lib.nigh_message(context).decode())


def loss_of(name):
    loss = c.c_void_p()
    check(lib.nigh_loss_parse(context, name.encode(), c.byref(loss)))
    return loss


def rows_of(x, y=None):
    return Rows(x.shape[0], x.shape[1], x.ctypes.data, None if y is None else y.ctypes.data, None)


def train(name, x, y, size, start=None, iterations=0):
    model, fit = np.zeros(size), Fit()
    options = FitOptions(None if start is None else start.ctypes.data, 0, iterations)
    rows = rows_of(x, y)
    check(lib.nigh_loss_train(context, loss_of(name), c.byref(rows), c.byref(options), c.c_void_p(model.ctypes.data), c.byref(fit)))
    return model, fit


def turns(what, ours, peers, objective, higher_is_worse=1e-7):
    """ours() and every peers[name]() give a model; times in turns, objectives beside the best one."""
    if arguments.only and not what.startswith(arguments.only):
        return
    runs = {'nigh': ours, **peers}
    seconds, cost = {name: [] for name in runs}, {}
    for _ in range(arguments.turns):
        for name, run in runs.items():
            before = time.process_time()
            model = run()
            seconds[name].append(time.process_time() - before)
            cost[name] = objective(model)
    best = min(cost.values())
    for name in runs:
        ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds['nigh']))
        print(f'{what:24} {name:28} {statistics.median(seconds[name]):8.3f} s  {ratio:7.2f} times nigh  objective {cost[name]:.10g}, {cost[name] / best - 1:.1e} above')


n, d = arguments.rows, arguments.columns
rng = np.random.default_rng(1)
x = rng.standard_normal((n, d))
truth = (np.arange(d) % 3 - 1) * 0.5
score = x @ truth + 0.3
y = (rng.random(n) < 1 / (1 + np.exp(-score))).astype(float)
target = score + rng.standard_t(2.5, n)


def logistic_cost(model):
    m = (x @ model[:d] + model[d]) * (2 * y - 1)
    return np.sum(np.logaddexp(0, -m)) + model[:d] @ model[:d] / 2


def from_sklearn(fitted):
    return np.append(np.ravel(fitted.coef_), fitted.intercept_)


turns('logistic', lambda: train('logistic:lambda=1', x, y, d + 1)[0],
      {'lbfgs, tol 1e-6': lambda: from_sklearn(LogisticRegression(C=1, tol=1e-6, max_iter=1000).fit(x, y)),
       'newton-cholesky, tol 1e-6': lambda: from_sklearn(LogisticRegression(C=1, tol=1e-6, solver='newton-cholesky').fit(x, y))}, logistic_cost)

turns('ridge', lambda: train('squares:lambda=2', x, target, d + 1)[0],
      {'Ridge, cholesky': lambda: from_sklearn(Ridge(alpha=1, solver='cholesky').fit(x, target))},
      lambda model: np.sum((target - x @ model[:d] - model[d]) ** 2) + model[:d] @ model[:d])

if not arguments.only or 'huber'.startswith(arguments.only):
    scale = HuberRegressor(epsilon=1.35, alpha=1e-4, tol=1e-6, max_iter=1000).fit(x, target).scale_  # the minimum over w at this scale is nigh's
    delta, penalty = 1.35 * scale, 1e-4 * scale

    def huber_cost(model):
        r = np.abs(target - x @ model[:d] - model[d])
        return np.sum(np.where(r <= delta, r * r / 2, delta * (r - delta / 2))) + penalty / 2 * model[:d] @ model[:d]

    turns('huber', lambda: train(f'huber:delta={delta!r},lambda={penalty!r}'.replace('np.float64(', '').replace(')', ''), x, target, d + 1)[0],
          {'HuberRegressor, tol 1e-6': lambda: from_sklearn(HuberRegressor(epsilon=1.35, alpha=1e-4, tol=1e-6, max_iter=1000).fit(x, target))}, huber_cost)

points, k = rng.standard_normal((16000, 64)), 800
start = points[rng.choice(len(points), k, replace=False)].copy()


def inertia(centres):
    total = 0.0
    for part in np.array_split(points, 16):
        total += np.min(np.sum(part ** 2, 1)[:, None] - 2 * part @ centres.T + np.sum(centres ** 2, 1), 1).sum()
    return total


turns('k-means, same start', lambda: train(f'k-means:k={k}', points, None, k * 64, start.ravel(), 30)[0].reshape(k, 64),
      {'KMeans, lloyd': lambda: KMeans(k, init=start, n_init=1, max_iter=30, tol=0, algorithm='lloyd').fit(points).cluster_centers_,
       'KMeans, elkan': lambda: KMeans(k, init=start, n_init=1, max_iter=30, tol=0, algorithm='elkan').fit(points).cluster_centers_}, inertia)
turns('k-means, k-means++', lambda: train(f'k-means:k={k},restarts=1', points, None, k * 64, None, 30)[0].reshape(k, 64),
      {'KMeans, lloyd': lambda: KMeans(k, n_init=1, max_iter=30, tol=0, algorithm='lloyd', random_state=1).fit(points).cluster_centers_}, inertia)

part = min(n, 100000)
px, py, penalties = x[:part].copy(), y[:part].copy(), np.logspace(4, -2, 30)


def path():
    test, rows = np.zeros((30, 5)), rows_of(px, py)
    check(lib.nigh_loss_path(context, loss_of('logistic'), c.byref(rows), c.c_int64(30), c.c_void_p(penalties.ctypes.data), None,
                             c.c_void_p(test.ctypes.data), None, None, None))
    return test.mean(1)


def path_sklearn():
    model = LogisticRegressionCV(Cs=1 / penalties, cv=5, scoring='neg_log_loss', refit=False, tol=1e-4).fit(px, py)
    return -np.mean(next(iter(model.scores_.values())), 0)


turns(f'30 penalties, {part} rows', path, {'LogisticRegressionCV': path_sklearn}, lambda losses: np.min(losses))
