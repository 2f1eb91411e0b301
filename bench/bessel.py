#!/usr/bin/env python3
"""log I and log K beside SciPy's log(ive) + x and log(kve) - x in one process, alternating: nanoseconds a point on v, x in [0, 150]^2 where both
work, and the share of log-uniform points (v in [1e-2, 1e5], x in [1e-3, 1e5]) with finite answers. And the von Mises-Fisher ratio by SciPy's iv.

    python3 bench/bessel.py build/libnigh.so [rounds]
"""
import ctypes
import sys
import time

import numpy
import scipy
from scipy import special

library = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else 'build/libnigh.so')
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
numpy.seterr(all='ignore')


def nigh(name):
    function = getattr(library, name)
    numbers = numpy.ctypeslib.ndpointer(dtype=numpy.float64, flags='C')
    function.argtypes, function.restype = [ctypes.c_int64, numbers, numbers, numbers], None

    def call(v, x):
        y = numpy.empty_like(v)
        function(len(v), v, x, y)
        return y
    return call


pairs = {'log I': (nigh('nigh_log_bessel_i_f64'), lambda v, x: numpy.log(special.ive(v, x)) + x),
         'log K': (nigh('nigh_log_bessel_k_f64'), lambda v, x: numpy.log(special.kve(v, x)) - x)}
random = numpy.random.default_rng(1)
print('scipy', scipy.__version__, 'numpy', numpy.__version__)

v, x = random.uniform(0, 150, 100_000), random.uniform(0, 150, 100_000)
for name, (ours, theirs) in pairs.items():
    both = numpy.isfinite(ours(v, x)) & numpy.isfinite(theirs(v, x))
    a, b, times = v[both], x[both], []
    for _ in range(rounds):
        pair = []
        for function in (ours, theirs):
            start = time.thread_time()
            function(a, b)
            pair.append((time.thread_time() - start) / len(a) * 1e9)
        times.append(pair)
    mine, other = numpy.median(times, axis=0)
    ratio = numpy.median([t[1] / t[0] for t in times])
    worst = numpy.max(numpy.abs(ours(a, b) - theirs(a, b)) / numpy.maximum(1, numpy.abs(ours(a, b))))
    print(f'{name}: {mine:.1f} ns, SciPy {other:.0f} ns, ratio {ratio:.0f}; largest difference {worst:.1e} on {both.mean():.1%} of the points')

v, x = 10 ** random.uniform(-2, 5, 200_000), 10 ** random.uniform(-3, 5, 200_000)
finite = {side: numpy.logical_and(*(numpy.isfinite(pair[side](v, x)) for pair in pairs.values())) for side in (0, 1)}
print(f'finite on log-uniform points: {finite[0].mean():.1%}, SciPy {finite[1].mean():.1%}')
for d in (2048, 8192, 32768):
    for kappa in (d / 2, 2 * d):
        print(f'R^{d}, kappa {kappa:g}: A(kappa) by SciPy iv/iv = {special.iv(d / 2, kappa) / special.iv(d / 2 - 1, kappa):g},'
              f' by ive/ive = {special.ive(d / 2, kappa) / special.ive(d / 2 - 1, kappa):g}')
