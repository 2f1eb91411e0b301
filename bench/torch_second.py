#!/usr/bin/env python3
"""Hessian products and per-sample gradients of PyTorch on the networks of bench/second.c, for orientation.

    torch_second.py [THREADS]

Prints milliseconds of a gradient and products in gradients: forward over reverse (torch.func.jvp of grad) and reverse over reverse.
CPU seconds with one thread (median), else the clock (lowest decile).
"""
import statistics
import sys
import time

import torch
from torch.func import functional_call, grad, jvp, vmap

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
torch.set_num_threads(threads)


def clock():
    return time.process_time() if threads == 1 else time.perf_counter()


def typical(seconds):
    seconds = sorted(seconds)
    return statistics.median(seconds) if threads == 1 else seconds[len(seconds) // 10]


def mlp(widths, activation):
    layers = []
    for i in range(1, len(widths)):
        layers.append(torch.nn.Linear(widths[i - 1], widths[i]))
        if i + 1 < len(widths):
            layers.append(activation())
    return torch.nn.Sequential(*layers)


def conv():
    return torch.nn.Sequential(torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.AvgPool2d(2), torch.nn.Conv2d(16, 32, 3, padding=1),
                               torch.nn.ReLU(), torch.nn.AvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(7 * 7 * 32, 10))


cases = [
    ('mlp f32 784-256-256-10', lambda: mlp([784, 256, 256, 10], torch.nn.ReLU), torch.float32, (128, 784), True),
    ('mlp f32 256x5', lambda: mlp([256] * 5 + [10], torch.nn.ReLU), torch.float32, (128, 256), True),
    ('conv f32 28x28 16-32', conv, torch.float32, (64, 1, 28, 28), True),
    ('tanh f64 20-128-128-128-1', lambda: mlp([20, 128, 128, 128, 1], torch.nn.Tanh), torch.float64, (256, 20), False),
    ('tanh f64 2-64-64-64-64-1', lambda: mlp([2, 64, 64, 64, 64, 1], torch.nn.Tanh), torch.float64, (512, 2), False),
]
for name, make, dtype, shape, classes in cases:
    net = make().to(dtype)
    x = torch.randn(shape, dtype=dtype)
    target = torch.randint(0, 10, (shape[0],)) if classes else torch.randn(shape[0], 1, dtype=dtype)
    weights = {k: v.detach() for k, v in net.named_parameters()}
    ways = {k: torch.randn_like(v) for k, v in weights.items()}

    def loss(w, a=x, b=target):
        z = functional_call(net, w, (a,))
        return torch.nn.functional.cross_entropy(z, b) if classes else torch.mean((z - b) ** 2)

    leaves = list(net.parameters())

    def gradient():
        return torch.autograd.grad(loss(dict(net.named_parameters())), leaves)

    def forward_over_reverse():
        return jvp(grad(loss), (weights,), (ways,))[1]

    def reverse_over_reverse():
        g = torch.autograd.grad(loss(dict(net.named_parameters())), leaves, create_graph=True)
        return torch.autograd.grad(g, leaves, list(ways.values()))

    def per_sample():
        return vmap(grad(lambda w, a, b: loss(w, a[None], b[None])), in_dims=(None, 0, 0))(weights, x, target)

    seconds = {f: [] for f in (gradient, forward_over_reverse, reverse_over_reverse, per_sample)}
    for i in range(33):
        for f in seconds:
            start = clock()
            f()
            if i >= 3:
                seconds[f].append(clock() - start)
    ms = [1e3 * typical(v) for v in seconds.values()]
    print(f'{name:28} gradient {ms[0]:7.3f} ms   forward over reverse {ms[1] / ms[0]:5.2f}   reverse over reverse {ms[2] / ms[0]:5.2f}   '
          f'per sample {ms[3]:7.2f} ms', flush=True)
