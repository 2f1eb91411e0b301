#!/usr/bin/env python3
"""ONNX files read by nigh beside onnxruntime: outputs equal to 1e-5 of their size, and again after nigh has written the network back.

  onnx_beside.py random [--count 2000] [--seed 1] [--run build/bench/onnx_run] [--keep FOLDER]   random graphs over all operators
  onnx_beside.py files FILE ...                                                                  networks as they are, with random inputs
  onnx_beside.py torch                                                                           what torch.onnx exports of typical networks

Needs onnx and onnxruntime (and torch for the last).
"""
import argparse
import collections
import gzip
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx

from onnx_random import random_model

TOLERANCE = 1e-5


# ---- comparison

def session(path):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    data = gzip.open(path).read() if str(path).endswith('.gz') else open(path, 'rb').read()
    return onnxruntime.InferenceSession(data, options, providers=['CPUExecutionProvider'])


def run_there(path, inputs):
    s = session(path)
    return s.run(None, {i.name: inputs[f'x{k}'] for k, i in enumerate(s.get_inputs())})


def run_in_f64(path, inputs):
    """The graph in NumPy with all floats as doubles: which of two results in f32 is nearer to it?"""
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator
    model = onnx.load(path)

    def wide(t):
        return numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float64), t.name) if t.data_type == TensorProto.FLOAT else t
    for i, t in enumerate(model.graph.initializer):
        model.graph.initializer[i].CopyFrom(wide(t))
    for node in model.graph.node:
        for a in node.attribute:
            if a.type == onnx.AttributeProto.TENSOR:
                a.t.CopyFrom(wide(a.t))
            if node.op_type == 'Cast' and a.name == 'to' and a.i == TensorProto.FLOAT:
                a.i = TensorProto.DOUBLE
    for v in list(model.graph.input) + list(model.graph.output) + list(model.graph.value_info):
        if v.type.tensor_type.elem_type == TensorProto.FLOAT:
            v.type.tensor_type.elem_type = TensorProto.DOUBLE
    names = [i.name for i in model.graph.input]
    return ReferenceEvaluator(model).run(None, {n: inputs[f'x{k}'].astype(np.float64) for k, n in enumerate(names)})


def difference(ours, theirs):
    if list(ours.shape) != list(theirs.shape):
        return float('inf')
    theirs = theirs.astype(np.float64)
    if not theirs.size:
        return 0.0
    finite = np.isfinite(theirs)
    if not (finite == np.isfinite(ours)).all():
        return float('inf')
    if not finite.any():
        return 0.0
    size = max(np.abs(theirs[finite]).max(), 1e-3)
    return float(np.abs(ours.astype(np.float64) - theirs)[finite].max() / size)


def compare(cases, run, folder):
    """cases: (path, operators, inputs). One process of nigh for all."""
    expected, listing = [], os.path.join(folder, 'list')
    kept = []
    with open(listing, 'w') as out:
        for i, (path, ops, inputs) in enumerate(cases):
            try:
                there = run_there(path, inputs)
            except Exception as error:
                print(f'runtime refuses {path}: {str(error)[:160]}') if os.environ.get('LOUD') else None
                continue
            if any(not np.isfinite(np.asarray(t, np.float64)).all() for t in there):
                continue
            np.savez(os.path.join(folder, f'{i}.npz'), **inputs)
            out.write('\t'.join([path] + [os.path.join(folder, f'{i}{e}') for e in ('.npz', '.out.npz', '.back.onnx')]) + '\n')
            kept.append(i)
            expected.append(there)
    lines = subprocess.run([run, listing], stdout=subprocess.PIPE, text=True).stdout.splitlines()
    counts, bad, near, worst = collections.Counter(), [], [], 0.0
    fine = collections.Counter()
    for k, (i, there) in enumerate(zip(kept, expected)):
        path, ops, inputs = cases[i]
        state, _, message = lines[k].partition('\t') if k < len(lines) else ('crash', '', '')
        off = again = None
        if state in ('ok', 'write'):
            made = np.load(os.path.join(folder, f'{i}.out.npz'))
            off = max(difference(made[f'y{o}'], np.asarray(t)) for o, t in enumerate(there))
        if state == 'ok':
            try:
                back = run_there(os.path.join(folder, f'{i}.back.onnx'), inputs)
                again = max(difference(np.asarray(b), np.asarray(t)) for b, t in zip(back, there))
            except Exception as error:
                state, message = 'back', str(error)[:300]
        good = state == 'ok' and off <= TOLERANCE and again <= TOLERANCE
        if state == 'ok' and not good and off < 1e-4 and again <= 1e-6:
            good, state, message = True, 'rounded otherwise', 'what nigh wrote gives the same in the runtime'
        if state == 'ok' and not good and max(off, again) < 1e-2:  # an ill-conditioned network: as near to f64 as the runtime itself?
            try:
                truth = [np.asarray(t) for t in run_in_f64(path, inputs)]
                mine, its = max(difference(made[f'y{o}'], t) for o, t in enumerate(truth)), max(difference(np.asarray(a), t) for a, t in zip(there, truth))
                message = f'to f64: nigh {mine:.1e}, runtime {its:.1e}'
                good = mine <= max(TOLERANCE, 2 * its)
                state = 'as near to f64 as the runtime' if good else state
            except Exception as error:
                message = f'no f64: {str(error)[:100]}'
        if good and state != 'ok':
            near.append(f'{os.path.basename(path)}: off {off:.1e}, {message}')
        counts[state if state != 'ok' or good else 'differs'] += 1
        for op in ops:
            counts['op ' + op] += 1
            fine[op] += good
        if good:
            worst = max(worst, off, again) if state == 'ok' else worst
        else:
            bad.append((path, state, off, again, message, ops))
    for line in near:
        print(line)
    return len(kept), counts, fine, bad, worst


def report(total, counts, fine, bad, worst, show):
    for path, state, off, again, message, ops in bad[:show]:
        print(f'{path}: {state} {message[:240]} off {off} again {again} {" ".join(ops)}')
    print(f'{total} networks: ' + ', '.join(f'{n} {k}' for k, n in sorted(counts.items()) if not k.startswith('op ')) + f'; worst of the equal ones {worst:.1e}')
    print('networks with each operator, equal of all: ' + ', '.join(f'{o[3:]} {fine[o[3:]]}/{n}' for o, n in sorted(counts.items()) if o.startswith('op ')))
    return 1 if bad else 0


def random_cases(count, seed, folder):
    cases = []
    while len(cases) < count:
        made = random_model(seed)
        seed += 1
        if made:
            path = os.path.join(folder, f'net{seed - 1}.onnx')
            onnx.save(made[0], path)
            cases.append((path, made[1], made[2]))
    return cases, seed


def file_cases(paths):
    cases = []
    for path in paths:
        rng = np.random.default_rng(0)
        inputs = {}
        for k, i in enumerate(session(path).get_inputs()):
            shape = [d if isinstance(d, int) and d > 0 else 3 for d in i.shape]
            inputs[f'x{k}'] = rng.integers(0, 5, shape).astype(np.int64) if 'int' in i.type else rng.uniform(-0.5, 0.5, shape).astype(np.float32)
        model = onnx.load_from_string(gzip.open(path).read()) if path.endswith('.gz') else onnx.load(path)
        cases.append((path, sorted({n.op_type for n in model.graph.node}), inputs))
    return cases


def torch_networks(folder):
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, c, stride):
            super().__init__()
            self.a, self.b = nn.Conv2d(c, 2 * c, 3, stride, 1, bias=False), nn.Conv2d(2 * c, 2 * c, 3, 1, 1, bias=False)
            self.p, self.q, self.s = nn.BatchNorm2d(2 * c), nn.BatchNorm2d(2 * c), nn.Conv2d(c, 2 * c, 1, stride)

        def forward(self, x):
            return torch.relu(self.q(self.b(torch.relu(self.p(self.a(x))))) + self.s(x))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1), nn.Conv2d(14, 3, 3, padding=1)
            self.up = nn.ConvTranspose2d(8, 8, 2, 2)

        def forward(self, x):
            a = torch.relu(self.a(x))
            b = torch.nn.functional.silu(self.b(torch.nn.functional.max_pool2d(a, 2)))
            low = torch.nn.functional.interpolate(b, scale_factor=2, mode='bilinear', align_corners=False)
            return self.c(torch.cat([a, self.up(b) + low], 1))

    class Attention(nn.Module):
        def __init__(self, d, h):
            super().__init__()
            self.qkv, self.out, self.h, self.n = nn.Linear(d, 3 * d), nn.Linear(d, d), h, nn.LayerNorm(d)
            self.up, self.down, self.m = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), nn.LayerNorm(d)

        def forward(self, x):
            n, t, d = x.shape
            q, k, v = self.qkv(self.n(x)).reshape(n, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
            scores = q @ k.transpose(-1, -2) / (d // self.h) ** 0.5
            scores = scores.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float('-inf'))
            x = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, d))
            return x + self.down(torch.nn.functional.gelu(self.up(self.m(x))))

    nets = {'mlp': (nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 20), nn.Tanh(), nn.BatchNorm1d(20), nn.Linear(20, 3)), (4, 5)),
            'resnet': (nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), Block(4, 1), Block(8, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)), (2, 3, 16, 16)),
            'unet': (UNet(), (1, 2, 8, 8)), 'attention': (Attention(12, 3), (2, 5, 12)),
            'gates': (nn.Sequential(nn.Linear(8, 8), nn.SELU(), nn.LayerNorm(8), nn.GLU(), nn.Softmax(1), nn.Hardsigmoid()), (2, 4, 8)),
            'norms': (nn.Sequential(nn.Conv1d(4, 6, 3), nn.GroupNorm(3, 6), nn.PReLU(6), nn.InstanceNorm1d(6, affine=True), nn.Hardswish(), nn.Mish(), nn.AvgPool1d(2, ceil_mode=True)), (2, 4, 11))}
    paths = []
    torch.manual_seed(0)
    for name, (net, shape) in nets.items():
        for opset in (12, 14, 17, 20):
            for dynamic in (False, True):
                path = os.path.join(folder, f'{name}-{opset}{"-open" if dynamic else ""}.onnx')
                try:
                    for module in net.modules():
                        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                            module.running_mean.uniform_(-0.5, 0.5), module.running_var.uniform_(0.5, 1.5)
                    torch.onnx.export(net.eval(), torch.randn(shape), path, opset_version=opset, dynamo=False, input_names=['x'], output_names=['y'],
                                      dynamic_axes={'x': {0: 'n'}, 'y': {0: 'n'}} if dynamic else None)
                    paths.append(path)
                except Exception as error:
                    print(f'torch exports no {name} at opset {opset}: {str(error)[:120]}')
    return paths


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('what', choices=['random', 'files', 'torch'])
    parser.add_argument('paths', nargs='*')
    parser.add_argument('--count', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--run', default='build/bench/onnx_run')
    parser.add_argument('--keep')
    parser.add_argument('--show', type=int, default=40)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = a.keep or folder
        os.makedirs(folder, exist_ok=True)
        if a.what == 'random':
            total, counts, fine, bad, worst, seed = 0, collections.Counter(), collections.Counter(), [], 0.0, a.seed
            while total < a.count: # some are refused by the runtime
                cases, seed = random_cases(min(200, a.count - total), seed, folder)
                n, c, f, b, w = compare(cases, a.run, folder)
                total, worst, bad = total + n, max(worst, w), bad + b
                counts.update(c)
                fine.update(f)
            sys.exit(report(total, counts, fine, bad, worst, a.show))
        cases = file_cases(torch_networks(folder) if a.what == 'torch' else a.paths)
        sys.exit(report(*compare(cases, a.run, folder), a.show))


main()
