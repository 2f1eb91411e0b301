"""nigh reduce graph beside the program of SSumM's authors (Java, GPL-3, github.com/KyuhanLee/SSumM), in turns on the same edges and bits.

  ssumm_beside.py NIGH FOLDER FASTUTIL.jar EDGES... [shares=0.1,0.3,0.5] [rounds=3] [java=-Xmx8g]

FOLDER holds SSumM.jar. Times are of the whole process and, in brackets, as each tells its own without reading and writing. Errors of the other program are
recomputed from the supernodes and superedges that it writes (edges of a block counted in the graph), and printed as it tells them too.
"""
import glob
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

nigh, folder, fastutil = sys.argv[1:4]
words = sys.argv[4:]
files = [w for w in words if '=' not in w]
keys = dict(w.split('=', 1) for w in words if '=' in w)
shares = [float(s) for s in keys.get('shares', '0.1,0.3,0.5').split(',')]
rounds = int(keys.get('rounds', '3'))


def read_theirs(path):
    """Members of each supernode (old numbers), pairs of supernodes."""
    label, pairs, section = {}, [], 0
    for line in open(path):
        if line.startswith('<'):
            section += 1
            continue
        fields = [int(x) for x in line.split()]
        if section == 1:
            for member in fields[1:]:
                label[member] = fields[0]
        elif fields:
            pairs.append(fields[:2])
    return label, pairs


def errors(edges, label, pairs):
    """RE_1, RE_2, and bits by the formula, of a partition with these superedges."""
    nodes = numpy.unique(edges)
    names, of = numpy.unique(numpy.array([label[int(v)] for v in nodes]), return_inverse=True)
    size = numpy.bincount(of).astype(float)
    index = {int(name): i for i, name in enumerate(names)}
    at = of[numpy.searchsorted(nodes, edges)]
    count = len(names)
    key = numpy.minimum(at[:, 0], at[:, 1]).astype(numpy.int64) * count + numpy.maximum(at[:, 0], at[:, 1])
    kept = numpy.unique(numpy.array([min(index[a], index[b]) * count + max(index[a], index[b]) for a, b in pairs if a in index and b in index], dtype=numpy.int64))
    blocks, weight = numpy.unique(key, return_counts=True)
    keep = numpy.isin(blocks, kept)
    a, b, w = blocks[keep] // count, blocks[keep] % count, weight[keep].astype(float)
    m = numpy.where(a == b, size[a] * (size[a] - 1) / 2, size[a] * size[b])
    total, n = len(edges), len(nodes)
    one = 2 * (total + numpy.sum(w - 2 * w * w / m))
    two = 2 * (total - numpy.sum(w * w / m))
    bits = len(w) * (2 * math.log2(count) + math.log2(w.max())) + n * math.log2(count)
    return one / (n * (n - 1)), math.sqrt(two) / (n * (n - 1)), bits / (2 * total * math.log2(n))


def run_theirs(path, share, norm):
    with tempfile.TemporaryDirectory() as work:
        name = os.path.basename(path)
        shutil.copy(path, os.path.join(work, name))
        os.mkdir(os.path.join(work, 'output'))
        began = time.monotonic()
        jars = os.path.join(os.path.abspath(folder), 'SSumM.jar') + ':' + os.path.abspath(fastutil)
        extra = keys['java'].split() if 'java' in keys else []
        text = subprocess.run(['java'] + extra + ['-cp', jars, 'ssumm.SSumM', name, str(share), str(norm)], cwd=work, check=True, capture_output=True, text=True).stdout
        seconds = time.monotonic() - began
        told = {line.split(':')[0].strip(): line.split(':')[1].split()[0] for line in text.splitlines() if ':' in line}
        return seconds, float(told['Elapsed Time']) / 1000, float(told[f'L{norm}error']), read_theirs(glob.glob(os.path.join(work, 'output', '*'))[0])


def run_ours(path, share, norm):
    with tempfile.TemporaryDirectory() as work:
        began = time.monotonic()
        text = subprocess.run([nigh, 'reduce', 'graph', path, '--bits', f'{100 * share}%', '-o', os.path.join(work, 's.npz'), '--norm', str(norm), '--json', '--quiet',
                               '--threads', '1', '--symmetrise'], check=True, capture_output=True, text=True).stdout
        return time.monotonic() - began, json.loads(text)


for path in files:
    edges = numpy.loadtxt(path, dtype=numpy.int64, comments='#', ndmin=2)
    for share in shares:
        for norm in (1, 2):
            ours, theirs = [], []
            for _ in range(rounds):
                theirs.append(run_theirs(path, share, norm))
                ours.append(run_ours(path, share, norm))
            label, pairs = theirs[0][3]
            e1, e2, bits = errors(edges, label, pairs)
            other, own = (e1, e2)[norm - 1], ours[0][1][f're{norm}']
            whole = [o[0] / t[0] for o, t in zip(ours, theirs)]
            inner = [o[1]['seconds'] / t[1] for o, t in zip(ours, theirs)]
            print(f'{os.path.basename(path)} {100 * share:g}% norm {norm}: RE_{norm} {own:.4g} beside {other:.4g} (it tells {theirs[0][2]:.4g}): {own / other:.3f}; '
                  f'bits {100 * ours[0][1]["bits"] / ours[0][1]["bits_before"]:.2f}% beside {100 * bits:.2f}%; time {statistics.median(whole):.3f} ({min(whole):.3f} .. {max(whole):.3f}) '
                  f'[{statistics.median(inner):.3f}] of {statistics.median(t[0] for t in theirs):.2f} s', flush=True)
