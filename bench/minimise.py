#!/usr/bin/env python3
"""The problems of bench/minimise.c by SciPy's L-BFGS-B (memory 20, the same tolerance of the slope) and, where PyTorch is installed,
the time of its fused AdamW and of SGD with momentum on 2^23 f32 in one thread."""
import time

import numpy as np
from scipy.optimize import minimize


def rosenbrock(x):
    a, b = x[1::2] - x[::2] ** 2, 1 - x[::2]
    g = np.empty_like(x)
    g[::2], g[1::2] = -400 * a * x[::2] - 2 * b, 200 * a
    return float(100 * a @ a + b @ b), g


def powell(x):
    p, q, r, s = x[::4], x[1::4], x[2::4], x[3::4]
    a, b, c, d = p + 10 * q, r - s, q - 2 * r, p - s
    g = np.empty_like(x)
    g[::4], g[1::4] = 2 * a + 40 * d ** 3, 20 * a + 4 * c ** 3
    g[2::4], g[3::4] = 10 * b - 8 * c ** 3, -10 * b - 40 * d ** 3
    return float(a @ a + 5 * b @ b + np.sum(c ** 4) + 10 * np.sum(d ** 4)), g


def run(f, start, n, bounds=False):
    x = np.resize(np.array(start, float), n)
    box = [(None, 10 if i % 2 else 0.8) for i in range(n)] if bounds else None
    before = time.perf_counter()
    r = minimize(f, x, jac=True, method='L-BFGS-B', bounds=box,
                 options={'maxcor': 20, 'gtol': 1e-5, 'ftol': 1e-15, 'maxiter': 100000, 'maxfun': 1000000})
    print(f'{f.__name__:10} n = {n:7}{", x <= 0.8" if bounds else ""}: {r.nfev:4} evaluations, {r.nit:4} iterations, f {r.fun:.2e}, '
          f'{time.perf_counter() - before:.3f} s')


for n in (2, 1000, 100000, 1000000):
    run(rosenbrock, [-1.2, 1], n)
run(powell, [3, -1, 0, 1], 4)
run(powell, [3, -1, 0, 1], 100000)
run(rosenbrock, [-1.2, 1], 1000, True)
run(rosenbrock, [-1.2, 1], 100000, True)
try:
    import torch
except ImportError:
    raise SystemExit
torch.set_num_threads(1)
for name, make in (('momentum', lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, fused=True)),
                   ('adamw', lambda p: torch.optim.AdamW(p, lr=1e-3, fused=True))):
    p = torch.ones(1 << 23, requires_grad=True)
    p.grad = torch.ones(1 << 23)
    o, best = make([p]), 1e9
    for _ in range(20):
        before = time.perf_counter()
        o.step()
        best = min(best, time.perf_counter() - before)
    print(f'{name:10} 2^23 f32, one thread: {1e3 * best:.2f} ms')
