#!/usr/bin/env python3
"""Training by interval bounds: `nigh verify train` beside PyTorch with auto_LiRPA's IBP loss (margins by C, last layer joined): the same network, images, schedule of the radius,
rates, batches, first weights by one law; in turns. Accuracy and share certified by intervals are counted for both on the same test images, by each one's own bounds.

    ibp_beside.py [build/nigh] [--network mlp:256,256|conv:8,16+128,128] [--epochs N] [--threads T] [--turns K] [--radius E] [--train-radius R]

Needs NumPy, PyTorch and auto_LiRPA (its repository's newest) in the Python that runs it, and MNIST's test images in $NIGH_DATA.
"""
import argparse
import gzip
import json
import math
import os
import subprocess
import tempfile
import time

for variable in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE'):
    os.environ.pop(variable, None)
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument('command', nargs='?', default=os.path.join(os.path.dirname(__file__), '..', 'build', 'nigh'))
parser.add_argument('--network', default='mlp:256,256')
parser.add_argument('--epochs', type=int, default=10)
parser.add_argument('--batch', type=int, default=128)
parser.add_argument('--threads', type=int, default=2)
parser.add_argument('--turns', type=int, default=2)
parser.add_argument('--radius', type=float, default=0.1)
parser.add_argument('--train-radius', type=float, default=0.12)
parser.add_argument('--rate', type=float, default=2e-3)
parser.add_argument('--ramp', type=float, default=0.3)
a = parser.parse_args()
os.environ['OMP_NUM_THREADS'] = str(a.threads)
import torch
from auto_LiRPA import BoundedModule, BoundedTensor
from auto_LiRPA.perturbations import PerturbationLpNorm
from torch import nn

torch.set_num_threads(a.threads)


def idx(name):
    with gzip.open(os.path.join(os.environ['NIGH_DATA'], 'mnist', name)) as file:
        raw = file.read()
    dims = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], 'big') for i in range(dims)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


x = idx('t10k-images-idx3-ubyte.gz')[..., None].astype(np.float32) / 255
y = idx('t10k-labels-idx1-ubyte.gz').astype(np.int64)
order = np.random.default_rng(7).permutation(len(x))
train, test = order[:8000], order[8000:]


def build():
    kind, sizes = a.network.split(':')
    convs, _, dense = sizes.partition('+') if kind == 'conv' else ('', '', sizes)
    layers, channels, side = [], 1, 28
    for c in [int(v) for v in convs.split(',') if v]:
        layers += [nn.Conv2d(channels, c, 3, stride=2, padding=1), nn.ReLU()]
        channels, side = c, (side + 1) // 2
    layers, width = layers + [nn.Flatten()], side * side * channels
    for w in [int(v) for v in (dense or '100').split(',')]:
        layers += [nn.Linear(width, w), nn.ReLU()]
        width = w
    layers.append(nn.Linear(width, 10))
    for layer in layers:
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            fan = layer.weight[0].numel()
            nn.init.normal_(layer.weight, 0, math.sqrt(2 * math.pi) / fan)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def ramp(p):
    m = 0.25
    whole = m ** 3 * (m + 4 * (1 - m))
    return 0 if p <= 0 else 1 if p >= 1 else p ** 4 / whole if p < m else m ** 3 * (m + 4 * (p - m)) / whole


eye = torch.eye(10)


def margins(model, images, labels, radius):
    """Upper bounds of f_j - f_label, the label's own among them as 0."""
    low, high = (images - radius).clamp(min=0), (images + radius).clamp(max=1)
    boxes = BoundedTensor(images, PerturbationLpNorm(norm=np.inf, eps=radius, x_L=low, x_U=high))
    c = eye[labels].unsqueeze(1) - eye.unsqueeze(0)  # [n, 10, 10]: row j is e_label - e_j
    lower, _ = model.compute_bounds(x=(boxes,), C=c, method='IBP', bound_upper=False)
    return -lower


def torch_run(seed):
    torch.manual_seed(seed)
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    labels = torch.from_numpy(y)
    net = build()
    model = BoundedModule(net, torch.zeros(1, 1, 28, 28), device='cpu')
    per_epoch = len(train) // a.batch
    steps = per_epoch * a.epochs
    optimiser = torch.optim.Adam(model.parameters(), lr=a.rate)
    rows = torch.from_numpy(train)

    def step(number, batch):
        radius = max(a.train_radius * ramp(number / (a.ramp * steps)), 1e-12)
        for group in optimiser.param_groups:
            group['lr'] = a.rate * 0.2 ** max(0, (number - 4 * steps // 7) // (steps // 7 + 1))
        loss = nn.functional.cross_entropy(margins(model, images[batch], labels[batch], radius), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimiser.step()

    begin = time.time()
    for epoch in range(a.epochs):
        shuffled = rows[torch.randperm(len(rows))]
        for k in range(per_epoch):
            step(epoch * per_epoch + k, shuffled[k * a.batch:(k + 1) * a.batch])
    seconds = time.time() - begin
    held = torch.from_numpy(test)
    with torch.no_grad():
        right = (model(images[held]).argmax(1) == labels[held]).float().mean().item()
        upper = margins(model, images[held], labels[held], a.radius)
        upper[torch.arange(len(held)), labels[held]] = -1
        certified = (upper < 0).all(1).float().mean().item()
    return seconds / a.epochs, right, certified


def nigh_run(seed, folder):
    words = [a.command, 'verify', 'train', f'{folder}/images.npz', '--radius', a.radius, '--train-radius', a.train_radius, '--network', a.network, '--epochs', a.epochs, '--batch', a.batch,
             '--rate', a.rate, '--ramp', a.ramp, '--samples', len(test), '--seed', seed, '--threads', a.threads, '--json', '-o', f'{folder}/net.onnx']
    run = json.loads(subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout)['runs'][0]
    return run['seconds'] / a.epochs, run['standard'], run['intervals']


with tempfile.TemporaryDirectory() as folder:
    np.savez(f'{folder}/images.npz', x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test])
    torch_run(0) if a.epochs < 4 else None
    found = {'nigh': [], 'PyTorch + auto_LiRPA': []}
    for turn in range(a.turns):
        for name, result in (('nigh', nigh_run(turn + 1, folder)), ('PyTorch + auto_LiRPA', torch_run(turn + 1))):
            found[name].append(result)
            print(f'{name:22} {result[0]:7.3f} s an epoch, {100 * result[1]:.1f}% right, {100 * result[2]:.1f}% certified by intervals', flush=True)
    best = {name: min(r[0] for r in rows) for name, rows in found.items()}
    print(f"{a.network}, {a.epochs} epochs, {a.threads} threads: PyTorch takes {best['PyTorch + auto_LiRPA'] / best['nigh']:.2f} times as long")
