#!/usr/bin/env python3
"""Darcy's equation by others' solvers, from its statement alone:

    nigh sample darcy --grid 64 --n 20 -o data.npz
    pde_elliptic.py data.npz

prints the largest relative difference between the file's outputs and a sparse direct solution of the system that the statement gives, and what SciPy's direct
solver and, where they are installed, PyAMG and CHOLMOD take for one of them (assembling included or not, one thread)."""
import os
import sys
import time

for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[name] = '1'
import numpy
import scipy.sparse
import scipy.sparse.linalg


def darcy(a):
    """-div(a grad u) on n x n cells of the unit square, u = 0 on the edge; a face's coefficient is the harmonic mean of its two cells', on the edge the cell's own
    over half a cell."""
    n = a.shape[0]
    number = numpy.arange(n * n).reshape(n, n)
    diagonal = numpy.zeros((n, n))
    rows, columns, values = [], [], []
    for low, high in (((slice(None, -1), slice(None)), (slice(1, None), slice(None))), ((slice(None), slice(None, -1)), (slice(None), slice(1, None)))):
        face = 2 / (1 / a[low] + 1 / a[high]) * n * n
        diagonal[low] += face
        diagonal[high] += face
        rows += [number[low].ravel(), number[high].ravel()]
        columns += [number[high].ravel(), number[low].ravel()]
        values += [-face.ravel(), -face.ravel()]
    for edge in ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)):
        diagonal[edge] += 2 * a[edge] * n * n
    rows.append(number.ravel())
    columns.append(number.ravel())
    values.append(diagonal.ravel())
    return scipy.sparse.csc_matrix((numpy.concatenate(values), (numpy.concatenate(rows), numpy.concatenate(columns))), (n * n, n * n))


def best(call, runs):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * min(times)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = numpy.load(sys.argv[1])
    inputs, outputs = data['inputs'], data['outputs']
    n, worst = inputs.shape[1], 0
    one = numpy.ones(n * n)
    for a, u in zip(inputs, outputs):
        exact = scipy.sparse.linalg.spsolve(darcy(a), one).reshape(n, n)
        worst = max(worst, numpy.linalg.norm(u - exact) / numpy.linalg.norm(exact), numpy.abs(u - exact).max() / numpy.abs(exact).max())
    print(f'{len(inputs)} fields on {n} x {n} cells: largest relative difference {worst:.2e}')
    matrix = darcy(inputs[0])
    runs = 10 if n <= 64 else 3
    print(f'assembling by numpy                  {best(lambda: darcy(inputs[0]), runs):10.0f} us')
    print(f'scipy spsolve (SuperLU)              {best(lambda: scipy.sparse.linalg.spsolve(matrix, one), runs):10.0f} us')
    try:
        import pyamg
        rows = matrix.tocsr()
        print(f'pyamg ruge_stuben + cg to 1e-10      {best(lambda: pyamg.ruge_stuben_solver(rows).solve(one, tol=1e-10, accel="cg"), runs):10.0f} us')
        print(f'pyamg smoothed aggregation + cg      {best(lambda: pyamg.smoothed_aggregation_solver(rows).solve(one, tol=1e-10, accel="cg"), runs):10.0f} us')
        made = pyamg.ruge_stuben_solver(rows)
        print(f'pyamg ruge_stuben, set up before     {best(lambda: made.solve(one, tol=1e-10, accel="cg"), runs):10.0f} us')
    except ImportError:
        print('pyamg is not installed')
    try:
        from sksparse.cholmod import cholesky
        print(f'CHOLMOD by scikit-sparse             {best(lambda: cholesky(matrix)(one), runs):10.0f} us')
    except ImportError:
        print('scikit-sparse is not installed; pde_elliptic.c measures CHOLMOD')
    sys.exit(worst > 1e-8)


main()
