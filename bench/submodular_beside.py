"""Greedy choice by nigh beside apricot-select and a lazy greedy in NumPy, at the same function and k, in turns; and an update of a selection.

  submodular_beside.py LIBRARY [n=2000] [k=50] [rounds=3] [graph=EDGES.txt] [updates=2000]     LIBRARY: libnigh.so

Facility location on a given similarity matrix of n points; coverage of closed neighbourhoods in the graph (without one: a random graph of n nodes).
CPU seconds of one thread, the first call of each apart (apricot compiles then). Where values do not agree to 1e-6 it says so. apricot is left out where it is not
installed; the NumPy form evaluates a gain with vectors and keeps a heap of old gains.
"""
import ctypes as c
import heapq
import os
import statistics
import sys
import time

for name in ('OMP_NUM_THREADS', 'NUMBA_NUM_THREADS'):
    os.environ[name] = '1'
for name in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE'):
    os.environ.pop(name, None)
import numpy as np
try:
    import apricot
except ImportError:
    apricot = None

library, words = sys.argv[1], dict(w.split('=', 1) for w in sys.argv[2:])
n, k, rounds, updates = (int(words.get(w, d)) for w, d in (('n', 2000), ('k', 50), ('rounds', 3), ('updates', 2000)))
nigh = c.CDLL(library)
i64, f64, ptr = c.c_int64, c.c_double, c.c_void_p


class Facility(c.Structure):
    _fields_ = [('items', i64), ('clients', i64), ('d', i64), ('points', ptr), ('client', ptr), ('weight', ptr), ('similarity', ptr), ('near', c.c_int), ('width', f64),
                ('keep_bytes', i64)]


class Greedy(c.Structure):
    _fields_ = [('kind', c.c_int), ('k', i64), ('among', ptr), ('count', i64), ('target', f64), ('least', f64), ('epsilon', f64), ('seed', c.c_uint64), ('batch', i64)]


class Chosen(c.Structure):
    _fields_ = [('count', i64), ('item', c.POINTER(i64)), ('gain', c.POINTER(f64)), ('value', f64), ('calls', i64)]


class Options(c.Structure):
    _fields_ = [('k', i64), ('epsilon', f64), ('seed', c.c_uint64), ('trials', i64), ('every_guess', c.c_bool)]


class Answer(c.Structure):
    _fields_ = [('chosen', Chosen), ('bound', f64)]


nigh.nigh_message.restype = c.c_char_p
ctx = ptr()
nigh.nigh_context_new(c.byref(ctx))


def ok(status):
    if status:
        sys.exit(nigh.nigh_message(ctx).decode())


def facility_function(similarity):
    f = ptr()
    ok(nigh.nigh_submodular_facility(ctx, c.byref(Facility(items=len(similarity), clients=similarity.shape[1], similarity=similarity.ctypes.data)), c.byref(f)))
    return f


def graph_function(nodes, edges):
    f, a, b = ptr(), np.ascontiguousarray(edges[:, 0]), np.ascontiguousarray(edges[:, 1])
    ok(nigh.nigh_submodular_graph(ctx, i64(nodes), i64(len(edges)), ptr(a.ctypes.data), ptr(b.ctypes.data), c.c_bool(True), c.byref(f)))
    return f


def nigh_greedy(f):
    out = Chosen()
    ok(nigh.nigh_greedy(ctx, f, c.byref(Greedy(k=k)), c.byref(out)))
    value = out.value
    nigh.nigh_chosen_free(ctx, c.byref(out))
    return value


def lazy(count, gain, add):
    """Lazy greedy on gain(items) -> array and add(item)."""
    heap = [(-g, i, 0) for i, g in enumerate(gain(np.arange(count)))]
    heapq.heapify(heap)
    value = 0.0
    for step in range(k):
        while heap[0][2] != step:
            heapq.heapreplace(heap, (-gain(np.array([heap[0][1]]))[0], heap[0][1], step))
        g, i, _ = heapq.heappop(heap)
        value -= g
        add(i)
    return value


def numpy_facility(similarity):
    best = np.zeros(similarity.shape[1], similarity.dtype)
    return lazy(len(similarity), lambda i: np.maximum(similarity[i] - best, 0).sum(1, dtype=np.float64), lambda i: np.maximum(best, similarity[i], out=best))


def numpy_coverage(rows):
    covered = np.zeros(len(rows), bool)

    def add(i):
        covered[rows[i]] = True
    return lazy(len(rows), lambda items: [float(np.count_nonzero(~covered[rows[i]])) for i in items], add)


def timed(call):
    began = time.process_time()
    value = call()
    return time.process_time() - began, value


def beside(what, forms):
    first = {name: timed(call) for name, call in forms.items()}
    seconds = {name: [] for name in forms}
    for _ in range(rounds):
        for name, call in forms.items():
            seconds[name].append(timed(call)[0])
    print(what)
    for name in forms:
        ratios = [t / o for t, o in zip(seconds[name], seconds['nigh'])]
        print(f'  {name:14s} {1e3 * statistics.median(seconds[name]):10.2f} ms ({1e3 * first[name][0]:.2f} the first time), value {first[name][1]:.6f}: '
              f'{statistics.median(ratios):.2f} times nigh ({min(ratios):.2f} .. {max(ratios):.2f})')
        if abs(first[name][1] - first['nigh'][1]) > 1e-6 * first['nigh'][1]:
            print('                 its value differs: another choice, not to be compared')


rng = np.random.default_rng(1)
x = 3 * rng.normal(size=(20, 8))[rng.integers(20, size=n)] + rng.normal(size=(n, 8))
square = (x * x).sum(1)
similarity = np.exp(-np.maximum(square[:, None] + square - 2 * x @ x.T, 0) / 8).astype(np.float32)
similarity = np.maximum(similarity, similarity.T)
f = facility_function(similarity)
forms = {'nigh': lambda: nigh_greedy(f), 'numpy lazy': lambda: numpy_facility(similarity)}
if apricot:
    wide = similarity.astype(np.float64)
    for optimizer in ('lazy', 'two-stage'):
        forms['apricot ' + optimizer] = lambda o=optimizer: sum(apricot.FacilityLocationSelection(k, metric='precomputed', optimizer=o).fit(wide).gains)
beside(f'facility location, {n} items and clients, k {k}', forms)

if 'graph' in words:
    edges = np.loadtxt(words['graph'], dtype=np.int64)
    _, edges = np.unique(edges, return_inverse=True)
    edges = edges.reshape(-1, 2)
else:
    edges = rng.integers(n, size=(10 * n, 2))
nodes = int(edges.max()) + 1
g = graph_function(nodes, edges)
neighbours = [np.unique(np.append(np.concatenate([edges[edges[:, 0] == i, 1], edges[edges[:, 1] == i, 0]]), i)) for i in range(nodes)]
forms = {'nigh': lambda: nigh_greedy(g), 'numpy lazy': lambda: numpy_coverage(neighbours)}
if apricot:
    dense = np.zeros((nodes, nodes))
    for i, row in enumerate(neighbours):
        dense[i, row] = 1
    for optimizer in ('lazy', 'two-stage'):
        forms['apricot ' + optimizer] = lambda o=optimizer: sum(apricot.MaxCoverageSelection(k, optimizer=o).fit(dense).gains)
beside(f'coverage of neighbours, {nodes} nodes, {len(edges)} edges, k {k}', forms)

for name, function, count in (('facility location', f, n), ('coverage', g, nodes)):
    s, order = ptr(), rng.permutation(count)
    ok(nigh.nigh_selection_new(ctx, function, c.byref(Options(k=k)), c.byref(s)))
    half = count // 2
    for item in order[:half]:
        ok(nigh.nigh_selection_insert(s, i64(int(item))))
    began = time.process_time()
    steps = min(updates // 2, count - half)
    for i in range(steps):
        ok(nigh.nigh_selection_delete(s, i64(int(order[i]))))
        ok(nigh.nigh_selection_insert(s, i64(int(order[half + i]))))
    update = (time.process_time() - began) / (2 * steps)
    a = Answer()
    began = time.process_time()
    ok(nigh.nigh_selection_answer_now(s, c.c_bool(True), c.byref(a)))
    print(f'{name}, sliding window of {half}: {1e6 * update:.1f} us an update (with the call from Python), an answer {1e3 * (time.process_time() - began):.2f} ms, '
          f'at least {a.chosen.value / a.bound:.3f} of the best, proved')
    nigh.nigh_chosen_free(ctx, c.byref(a.chosen))
    nigh.nigh_selection_free(s)
