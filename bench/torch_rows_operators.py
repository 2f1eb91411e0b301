"""The cases of bench/rows_operators.c in PyTorch: result and gradient by backward, least of several runs, milliseconds."""
import sys
import time

import torch
import torch.nn.functional as F


def poly_norm(x, w):
    terms = [w[i] * F.rms_norm(x ** (i + 1), (x.shape[-1],), eps=1e-6) for i in range(3)]
    return terms[0] + terms[1] + terms[2]


def poly_relu(x, w):
    r = torch.relu(x)
    return w[0] + w[1] * r + w[2] * r ** 2 + w[3] * r ** 3


def max_min(x, w):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((torch.maximum(a, b), torch.minimum(a, b)), -1).reshape(x.shape)


def rotary(x, w, tables={}):
    if "c" not in tables:
        angle = torch.outer(torch.arange(x.shape[1]).float(), 10000 ** (-torch.arange(32) / 32.0))
        tables["c"], tables["s"] = torch.cos(angle)[None, :, None], torch.sin(angle)[None, :, None]
    c, s = tables["c"], tables["s"]
    a, b = x[..., :32], x[..., 32:]
    return torch.cat((a * c - b * s, a * s + b * c), -1)


index = (torch.arange(8192) * 7919) % 20000
target = (torch.arange(2048) * 7919) % 8192
cases = [
    ("softmax", (4096, 1024), 1, lambda x, w: F.softmax(x, -1)),
    ("cross-entropy", (2048, 8192), 1, lambda x, w: F.cross_entropy(x, target)),
    ("layer-norm", (8192, 512), 512, lambda x, w: F.layer_norm(x, (512,), w, w)),
    ("rms-norm", (8192, 512), 512, lambda x, w: F.rms_norm(x, (512,), w, 1e-5)),
    ("group-norm", (16, 64, 64, 64), 64, lambda x, w: F.group_norm(x, 8, w, w)),
    ("batch-norm", (32, 64, 48, 48), 64, lambda x, w: F.batch_norm(x, None, None, w, w, True)),
    ("gather", (20000, 256), 1, lambda x, w: F.embedding(index, x)),
    ("sort", (4096, 256), 1, lambda x, w: torch.sort(x, -1)[0]),
    ("max-min", (8192, 512), 1, max_min),
    ("poly-relu", (4096, 1024), 4, poly_relu),
    ("poly-norm", (4096, 1024), 4, poly_norm),
    ("gelu-tanh", (4096, 1024), 1, lambda x, w: F.gelu(x, approximate="tanh")),
    ("rotary", (16, 256, 8, 64), 1, rotary),
    ("dropout", (4096, 1024), 1, lambda x, w: F.dropout(x, 0.1)),
    ("cumulative-sum", (4096, 1024), 1, lambda x, w: torch.cumsum(x, -1)),
]
print(f"{'operator':16} {'1 thread':>10} {'2 threads':>10}")
for name, shape, width, f in cases:
    if len(sys.argv) > 1 and sys.argv[1] != name:
        continue
    best = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        n = torch.Size(shape).numel()
        x = ((torch.arange(n) * 7919) % 10007).float().mul_(2e-4).sub_(1).reshape(shape).requires_grad_()
        w = torch.linspace(-1, 1, width).requires_grad_()
        seed = torch.ones_like(f(x, w))
        least = 1e9
        for _ in range(12):
            x.grad = w.grad = None
            start = time.perf_counter()
            f(x, w).backward(seed)
            least = min(least, time.perf_counter() - start)
        best.append(least)
    print(f"{name:16} {1e3 * best[0]:7.2f} ms {1e3 * best[1]:7.2f} ms", flush=True)
