#!/usr/bin/env python3
"""Lipschitz constants by `nigh verify lipschitz` beside Clarabel and SCS (through cvxpy) and DSDP (through its C interface, where libdsdp is found), on the same networks in turns.

  lipsdp_beside.py NIGH [--count N] [--limit SECONDS] [--dsdp libdsdp.so] [--sizes 32,64,128] [--reference]

Networks n-n-10 with n relus, weights normal over sqrt(inputs). Seconds are the solvers' own, modelling left out, to a relative gap of 1e-3; for nigh they include building the program's
matrices' factors but not reading the file; "in all" adds building, proving and writing. --reference: the bounds of the networks of the claim, to 1e-8. One thread each.
"""
import argparse, ctypes, json, os, statistics, struct, subprocess, sys, tempfile, time

os.environ.setdefault('OMP_NUM_THREADS', '1')
import numpy as np


def write_network(path, weights):
    layers, shapes = [], {}

    def layer(kind, name, inputs, parameters=()):
        layers.append({'kind': kind, 'name': name, 'inputs': inputs, 'weights': list(parameters), 'attributes': []})

    layer('input', 'x', [])
    for k, w in enumerate(weights):
        shapes['w%d' % k] = w.T
        layer('linear', 'l%d' % k, [len(layers) - 1], [k])
        if k + 1 < len(weights):
            layer('relu', 'a%d' % k, [len(layers) - 1])
    net = {'dtype': 'f64', 'inputs': [{'layer': 0, 'dtype': 'f64', 'shape': [-1, weights[0].shape[1]]}], 'outputs': [len(layers) - 1],
           'weights': [{'name': k, 'init': 'zero', 'scale': 0, 'rate': 1, 'decay': 1, 'frozen': False} for k in shapes], 'layers': layers}
    header, data = {'__metadata__': {'format': 'nigh-network', 'version': '1', 'network': json.dumps(net)}}, b''
    for name, w in shapes.items():
        raw = np.ascontiguousarray(w, dtype='<f8').tobytes()
        header[name] = {'dtype': 'F64', 'shape': list(w.shape), 'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)


def nigh(program, path):
    environment = {k: v for k, v in os.environ.items() if k not in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE')}
    began = time.perf_counter()
    out = subprocess.run([program, 'verify', 'lipschitz', path, '--json', '--samples', '0', '--threads', '1'], capture_output=True, check=True, env=environment)
    answer = json.loads(out.stdout)
    return answer['bound'], answer['solve_seconds'], answer['seconds'], time.perf_counter() - began


def blocks(weights):
    """The program of the paper: rows A (arguments), B (activations), C (outputs) over (x, phi_1, ..)."""
    n0, hidden = weights[0].shape[1], [w.shape[0] for w in weights[:-1]]
    n = sum(hidden)
    a, b, c = np.zeros((n, n0 + n)), np.zeros((n, n0 + n)), np.zeros((weights[-1].shape[0], n0 + n))
    row = column = 0
    for w in weights[:-1]:
        a[row:row + w.shape[0], column:column + w.shape[1]] = w
        row, column = row + w.shape[0], column + w.shape[1]
    b[:, n0:] = np.eye(n)
    c[:, n0 + n - hidden[-1]:] = weights[-1]
    return n0, n, a, b, c


def by_cvxpy(weights, solver, **settings):
    import cvxpy as cp
    n0, n, a, b, c = blocks(weights)
    e = np.zeros((n0, n0 + n))
    e[:, :n0] = np.eye(n0)
    rho, t = cp.Variable(), cp.Variable(n, nonneg=True)
    t_diag = cp.diag(t)
    m = rho * (e.T @ e) - a.T @ t_diag @ b - b.T @ t_diag @ a + 2 * b.T @ t_diag @ b - c.T @ c
    problem = cp.Problem(cp.Minimize(rho), [m >> 0])
    try:
        problem.solve(solver=solver, **settings)
        return float(np.sqrt(rho.value)), problem.solver_stats.solve_time
    except Exception as failure:
        return float('nan'), float('inf')


def by_dsdp(library, weights, gap):
    """max -rho (DSDP's dual form): S = M(y) >= 0 as C - sum y_i A_i; all data as dense upper triangles with the factorisation left to DSDP."""
    d = ctypes.CDLL(library)
    n0, n, a, b, c = blocks(weights)
    order, count = n0 + n, n + 1
    solver, cone = ctypes.c_void_p(), ctypes.c_void_p()
    d.DSDPCreate(count, ctypes.byref(solver))
    d.DSDPCreateSDPCone(solver, 1, ctypes.byref(cone))
    d.SDPConeSetBlockSize(cone, 0, order)
    d.SDPConeSetStorageFormat(cone, 0, ctypes.c_char(b'P'))
    lower = np.tril_indices(order)
    keep = []

    def put(variable, matrix):
        v = np.ascontiguousarray(matrix[lower])
        index = np.nonzero(v)[0].astype('i4')
        value = np.ascontiguousarray(v[index])
        keep.extend((index, value))
        d.SDPConeSetASparseVecMat(cone, 0, variable, order, ctypes.c_double(1.0), 0, index.ctypes.data_as(ctypes.POINTER(ctypes.c_int)),
                                  value.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), len(index))

    # maximise b.y with y = (rho, t), b = (-1, 0): C - sum y_i A_i = -c'c + rho E + sum t_i (2 e_i e_i' - a_i e_i' - e_i a_i')
    put(0, -(c.T @ c))
    e = np.zeros((order, order))
    e[:n0, :n0] = np.eye(n0)
    put(1, -e)
    for i in range(n):
        f = np.outer(a[i], b[i])
        put(2 + i, -(2 * np.outer(b[i], b[i]) - f - f.T))
    d.DSDPSetDualObjective(solver, 1, ctypes.c_double(-1.0))
    for i in range(n):
        d.DSDPSetDualObjective(solver, 2 + i, ctypes.c_double(0.0))
    d.DSDPSetGapTolerance(solver, ctypes.c_double(gap))
    norm = [np.linalg.norm(w, 2) for w in weights]
    d.DSDPSetup(solver)
    began = time.perf_counter()
    d.DSDPSolve(solver)
    seconds = time.perf_counter() - began
    value = ctypes.c_double()
    d.DSDPGetDObjective(solver, ctypes.byref(value))
    d.DSDPDestroy(solver)
    return float(np.sqrt(-value.value)) if value.value < 0 else float('nan'), seconds


def reference():
    for size in ((20, 20, 5), (16, 24, 16, 4), (12, 16, 16, 16, 3)):
        w = [np.sin(1 + 12.9898 * np.arange(p * q) + 78.233 * k).reshape(q, p) * 1.5 / np.sqrt(p) for k, (p, q) in enumerate(zip(size, size[1:]))]
        print('-'.join(map(str, size)), '%.9f' % by_cvxpy(w, 'CLARABEL')[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('nigh')
    parser.add_argument('--count', type=int, default=3)
    parser.add_argument('--limit', type=float, default=120)
    parser.add_argument('--dsdp')
    parser.add_argument('--sizes', default='32,64,128')
    parser.add_argument('--only')
    parser.add_argument('--reference', action='store_true')
    words = parser.parse_args()
    import clarabel, cvxpy, scs
    print('cvxpy %s, clarabel %s, scs %s, numpy %s' % (cvxpy.__version__, clarabel.__version__, scs.__version__, np.__version__))
    if words.reference:
        return reference()
    with tempfile.TemporaryDirectory() as folder:
        for n in map(int, words.sizes.split(',')):
            rng = np.random.default_rng(n)
            weights = [rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=(10, n)) / np.sqrt(n)]
            path = os.path.join(folder, 'net.safetensors')
            write_network(path, weights)
            solvers = {'nigh': lambda: nigh(words.nigh, path),
                       'clarabel': lambda: by_cvxpy(weights, 'CLARABEL', tol_gap_rel=1e-3, tol_gap_abs=1e-3, tol_feas=1e-4, time_limit=words.limit),
                       'scs': lambda: by_cvxpy(weights, 'SCS', eps_abs=1e-4, eps_rel=1e-3, time_limit_secs=words.limit)}
            if words.dsdp:
                solvers['dsdp'] = lambda: by_dsdp(words.dsdp, weights, 1e-3)
            if words.only:
                solvers = {k: v for k, v in solvers.items() if k in words.only.split(',')}
            results = {k: [] for k in solvers}
            for _ in range(words.count):
                for name, solve in solvers.items():
                    if not results[name] or results[name][-1][1] < words.limit / 2:
                        results[name].append(solve())
            own = statistics.median(r[1] for r in results['nigh']) if 'nigh' in results else float('nan')
            for name, r in results.items():
                seconds = statistics.median(x[1] for x in r)
                print('%4d relus  %-9s bound %.6f  %9.4f s  %8.1f times nigh%s' % (n, name, r[0][0], seconds, seconds / own, '   in all %.3f s' % r[0][2] if name == 'nigh' else ''), flush=True)


if __name__ == '__main__':
    sys.exit(main())
