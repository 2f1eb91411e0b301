#!/usr/bin/env python3
"""The planner of subsets over 30 data sets: is what it promises so, and is its subset near the smallest that any method found?

    bench/reduce_sets.py NIGH [FIRST [COUNT]]

For each set `nigh plan FILE --loss LOSS --error E` chooses rows; NumPy and SciPy (or scikit-learn for k-means) fit models to these rows and to all rows on
their own and compute the error on all rows again. A second run with --brute, other draws and finer sizes says what the smallest subset of any method is.
Real sets are read from $NIGH_DATA where it is set (HTRU_2, digits); generated ones stand in for them else."""
import gzip
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from scipy.optimize import minimize

nigh = os.path.abspath(sys.argv[1])
data = os.environ.get('NIGH_DATA', '')


def classes(n, d, seed, share=0.5, outliers=0.0, tails=0.0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(float)
    x = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) / np.sqrt(d) + np.outer(y, rng.standard_normal(d))
    if tails:
        x *= rng.standard_t(tails, (n, 1))
    bad = rng.random(n) < outliers
    x[bad] *= 10
    y[bad] = rng.random(bad.sum()) < 0.5
    return x, y


def regression(n, d, seed, noise='normal', heavy=0.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) * np.exp(rng.standard_normal(d))
    big = rng.random(n) < heavy
    x[big] *= 20
    e = rng.standard_normal(n) if noise == 'normal' else rng.standard_t(1.8, n) if noise == 'heavy' else rng.laplace(size=n)
    return x, x @ rng.standard_normal(d) + 1 + e


def clusters(n, d, k, seed, skewed=False):
    rng = np.random.default_rng(seed)
    share = np.exp(-np.arange(k)) if skewed else np.ones(k)
    c = rng.standard_normal((k, d)) * 4
    return c[rng.choice(k, n, p=share / share.sum())] + rng.standard_normal((n, d)), None


def htru(kind):
    path = os.path.join(data, 'tables/HTRU_2.csv')
    if not data or not os.path.exists(path):
        return classes(17898, 8, 77, share=0.09)
    a = np.loadtxt(path, delimiter=',', skiprows=1)
    x = (a[:, :8] - a[:, :8].mean(0)) / a[:, :8].std(0)
    return (x[:, :7], x[:, 7]) if kind == 'regression' else (x, a[:, 8])


def digits():
    path = os.path.join(data, 'digits/digits.csv.gz')
    if not data or not os.path.exists(path):
        return classes(1797, 64, 78)
    with gzip.open(path, 'rt') as file:
        a = np.loadtxt(file, delimiter=',')
    return a[:, :64] / 16, (a[:, 64] >= 5).astype(float)


sets = [
    ('htru', 'logistic', 0.05, htru('classes')), ('htru', 'hinge', 0.05, htru('classes')), ('htru', 'squares', 0.02, htru('regression')),
    ('htru', 'lp:p=1', 0.02, htru('regression')), ('htru', 'k-means:k=5', 0.05, (htru('classes')[0], None)),
    ('digits', 'logistic', 0.2, digits()), ('digits', 'k-means:k=10', 0.1, (digits()[0], None)),
    ('minority', 'logistic', 0.05, classes(40000, 10, 1, share=0.02, outliers=0.01)), ('balanced', 'logistic', 0.02, classes(20000, 5, 2)),
    ('wide', 'logistic', 0.1, classes(10000, 40, 3)), ('tails', 'logistic', 0.05, classes(30000, 6, 4, tails=2.5)),
    ('outliers', 'logistic:lambda=10', 0.05, classes(30000, 12, 5, outliers=0.05)), ('large', 'logistic', 0.05, classes(200000, 10, 6, share=0.2)),
    ('minority', 'hinge', 0.1, classes(20000, 8, 7, share=0.05)), ('balanced', 'hinge', 0.05, classes(20000, 4, 8)),
    ('plain', 'squares', 0.02, regression(50000, 10, 9)), ('heavy rows', 'squares', 0.05, regression(30000, 20, 10, heavy=0.01)),
    ('heavy noise', 'squares', 0.05, regression(30000, 5, 11, noise='heavy')), ('large', 'squares', 0.01, regression(300000, 15, 12)),
    ('laplace', 'lp:p=1', 0.02, regression(20000, 6, 13, noise='laplace')), ('heavy noise', 'lp:p=1', 0.05, regression(20000, 10, 14, noise='heavy', heavy=0.01)),
    ('plain', 'lp:p=1.5', 0.02, regression(20000, 5, 15)), ('plain', 'lp:p=3', 0.05, regression(20000, 5, 16)),
    ('heavy noise', 'huber:delta=1', 0.02, regression(40000, 8, 17, noise='heavy')), ('plain', 'huber:delta=1', 0.02, regression(20000, 12, 18)),
    ('laplace', 'huber:delta=0.5', 0.05, regression(20000, 4, 19, noise='laplace', heavy=0.02)),
    ('clusters', 'k-means:k=4', 0.05, clusters(20000, 3, 4, 20)), ('skewed', 'k-means:k=6', 0.1, clusters(30000, 5, 6, 21, skewed=True)),
    ('clusters', 'k-means:k=20', 0.1, clusters(20000, 8, 20, 22)), ('tails', 'hinge', 0.05, classes(10000, 5, 23, tails=3)),
]
assert len(sets) == 30


def parameter(loss, name, otherwise):
    for part in loss.partition(':')[2].split(','):
        if part.startswith(name + '='):
            return float(part[len(name) + 1:])
    return otherwise


def linear_cost(loss, x, y, w, lam):
    """Cost and slope of a linear model (weights, then intercept)."""
    kind = loss.partition(':')[0]
    sign = 2 * y - 1 if kind in ('logistic', 'hinge') else None
    p, delta = parameter(loss, 'p', 1.5), parameter(loss, 'delta', 1.0)

    def f(model, smooth=0.0):
        m = x @ model[:-1] + model[-1]
        if kind == 'logistic':
            v, s = np.logaddexp(0, -sign * m), -sign / (1 + np.exp(np.clip(sign * m, -700, 700)))
        elif kind == 'hinge':
            z = 1 - sign * m
            v, s = np.maximum(z, 0), -sign * (z > 0)
        else:
            r = y - m
            if kind == 'squares':
                v, s = r * r, -2 * r
            elif kind == 'huber':
                v, s = np.where(abs(r) <= delta, r * r / 2, delta * (abs(r) - delta / 2)), -np.clip(r, -delta, delta)
            else:
                q = np.sqrt(r * r + smooth * smooth)
                v, s = q ** p, -p * q ** (p - 2) * r if smooth or p >= 2 else -p * np.sign(r) * abs(r) ** (p - 1)
        return w @ v + lam / 2 * model[:-1] @ model[:-1], np.append(x.T @ (w * s) + lam * model[:-1], w @ s)

    return f


def fit_linear(loss, x, y, w):
    kind = loss.partition(':')[0]
    lam = parameter(loss, 'lambda', 1.0 if kind in ('logistic', 'hinge') else 0.0)
    cost = linear_cost(loss, x, y, w, lam)
    if kind == 'squares':
        a = np.c_[x, np.ones(len(x))] * np.sqrt(w)[:, None]
        return np.linalg.lstsq(a, y * np.sqrt(w), rcond=None)[0]
    if kind == 'hinge':
        from sklearn.svm import SVC
        svc = SVC(kernel='linear', C=1 / lam, tol=1e-8).fit(x, y, sample_weight=w)
        return np.append(svc.coef_[0], svc.intercept_[0])
    model = np.zeros(x.shape[1] + 1)
    p = parameter(loss, 'p', 1.5)
    steps = [1.0, 0.1, 1e-2, 1e-3, 1e-4] if kind == 'lp' and p < 2 else [0.0]
    for smooth in steps:
        model = minimize(cost, model, args=(smooth,), jac=True, method='L-BFGS-B', options={'maxiter': 5000, 'maxfun': 20000, 'ftol': 1e-14, 'gtol': 1e-9, 'maxcor': 30}).x
    return model


def check(loss, x, y, rows, weights, best):
    """The error on all rows of the model of these rows, by other software. best: nigh's own optimum, taken when it is lower."""
    ones = np.ones(len(x))
    if loss.startswith('k-means'):
        from sklearn.cluster import KMeans
        k = int(parameter(loss, 'k', 8))
        near = lambda c: np.min(((x[:, None, :] - c[None]) ** 2).sum(2), 1).sum()
        best = min(best, near(KMeans(k, n_init=4, random_state=0).fit(x).cluster_centers_))
        return near(KMeans(k, n_init=10, random_state=1).fit(x[rows], sample_weight=weights).cluster_centers_) / best - 1
    lam = parameter(loss, 'lambda', 1.0 if loss.partition(':')[0] in ('logistic', 'hinge') else 0.0)
    cost = linear_cost(loss, x, y, ones, lam)
    best = min(best, cost(fit_linear(loss, x, y, ones))[0]) if not loss.startswith('hinge') else best
    return cost(fit_linear(loss, x[rows], y[rows], weights))[0] / best - 1


def plan(path, loss, error, *more):
    out = subprocess.run([nigh, 'plan', path, '--loss', loss, '--error', str(error), '--json', '-q', *more], stdout=subprocess.PIPE, text=True)
    assert out.returncode in (0, 1), out.returncode
    return json.loads(out.stdout)


def main():
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    count = int(sys.argv[3]) if len(sys.argv) > 3 else len(sets)
    held = near = shown = 0
    print('%-12s %-20s %8s %5s %7s %-24s %8s %9s %9s %9s %7s' % ('set', 'loss', 'rows', 'asked', 'chosen', 'by', 'error', 'elsewhere', 'smallest', 'ratio', 's'))
    with tempfile.TemporaryDirectory() as folder:
        for name, loss, error, (x, y) in sets[first:first + count]:
            path, subset = os.path.join(folder, 'rows.npz'), os.path.join(folder, 'subset.csv')
            np.savez(path, x=x, **({} if y is None else {'y': y}))
            one = plan(path, loss, error, '-o', subset, '--seed', '1')
            all_ways = plan(path, loss, error, '--brute', '--seed', '2')
            chosen = one['candidates'][one['chosen']]
            smallest = min(c['rows'] for c in all_ways['candidates'] if c['state'] in ('met', 'chosen') and not c['model_only'])
            smallest = min(smallest, min(c['rows'] for c in one['candidates'] if c['state'] in ('met', 'chosen') and not c['model_only']))
            kept = np.loadtxt(subset, delimiter=',', skiprows=1, ndmin=2)
            elsewhere = check(loss, x, y, kept[:, 0].astype(int), kept[:, 1].copy(), one['best_cost'])
            ratio = chosen['rows'] / smallest
            shown += 1
            held += elsewhere <= error * 1.001
            near += ratio <= 1.3
            print('%-12s %-20s %8d %5g %7d %-24s %8.4f %9.4f %9d %9.2f %7.1f' %
                  (name, loss, len(x), error, chosen['rows'], chosen['method'], chosen['error'], elsewhere, smallest, ratio, one['deciding_seconds']), flush=True)
    print('promises that hold elsewhere: %d of %d; within 1.3 of the smallest subset: %d of %d' % (held, shown, near, shown))


main()
