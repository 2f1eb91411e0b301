#!/usr/bin/env python3
"""Local Lipschitz bounds beside auto_LiRPA's Jacobian bounds: tightness and time, one output row, arguments by CROWN in both.

    PYTHONPATH=AUTO_LIRPA python bench/local_lipschitz_beside.py build/nigh [NIGH_DATA]

Random networks (weights normal with variance 2 / fan-in, d = 16, half-width 0.05), and with NIGH_DATA mnist_fc 256x2 at half-width 0.03. auto_LiRPA: its repository's newest, float64 for
bounds, float32 for time, CPU seconds of one thread, second call.
nigh: the seconds it tells, or the CPU seconds of the whole process where these are fewer (a busy machine), least of five.
"""
import gzip, json, os, struct, subprocess, sys, tempfile, time
import numpy as np
import torch
import torch.nn as nn
from auto_LiRPA import BoundedModule, BoundedTensor
from auto_LiRPA.jacobian import GradNorm, JacobianOP
from auto_LiRPA.perturbations import PerturbationLpNorm

torch.set_num_threads(1)


def key(n, wire): return bytes([n << 3 | wire])


def varint(v):
    out = b""
    while v > 127: out, v = out + bytes([v & 127 | 128]), v >> 7
    return out + bytes([v])


def part(n, b): return key(n, 2) + varint(len(b)) + b
def text(n, s): return part(n, s.encode())
def number(n, v): return key(n, 0) + varint(v)


def value(n, name, dims):
    return part(n, text(1, name) + part(2, part(1, number(1, 1) + part(2, b"".join(part(1, number(1, d)) for d in dims)))))


def write_onnx(path, layers):
    """layers: (W [in, out], b) f32, relu between them."""
    nodes, tensors, at = b"", b"", "x"
    for i, (w, b) in enumerate(layers):
        last = i + 1 == len(layers)
        out = "y" if last else "h%d" % i
        nodes += part(1, text(1, at) + text(1, "w%d" % i) + text(1, "b%d" % i) + text(2, out) + text(3, "gemm%d" % i) + text(4, "Gemm"))
        for name, a in (("w%d" % i, w), ("b%d" % i, b)):
            tensors += part(5, b"".join(number(1, d) for d in a.shape) + number(2, 1) + text(8, name) + part(9, np.ascontiguousarray(a, "<f4").tobytes()))
        at = out
        if not last:
            at = "a%d" % i
            nodes += part(1, text(1, out) + text(2, at) + text(3, "relu%d" % i) + text(4, "Relu"))
    graph = nodes + text(2, "g") + tensors + value(11, "x", [1, layers[0][0].shape[0]]) + value(12, "y", [1, layers[-1][0].shape[1]])
    with open(path, "wb") as f:
        f.write(number(1, 8) + part(7, graph) + part(8, text(1, "") + number(2, 13)))


class Norm(nn.Module):
    def __init__(self, layers, dtype):
        super().__init__()
        parts = []
        for i, (w, b) in enumerate(layers):
            linear = nn.Linear(*w.shape)
            linear.weight.data, linear.bias.data = torch.tensor(w.T.copy(), dtype=dtype), torch.tensor(b, dtype=dtype)
            parts += [linear] + ([nn.ReLU()] if i + 1 < len(layers) else [])
        self.model, self.grad_norm = nn.Sequential(*parts), GradNorm(norm=1)

    def forward(self, x, mask):
        return self.grad_norm(JacobianOP.apply(self.model(x).matmul(mask), x))


def theirs(layers, x0, eps, row, low=None, high=None):
    """(bound in f64, seconds in f32 of a second call)"""
    out = []
    for dtype in (torch.float64, torch.float32):
        torch.set_default_dtype(dtype)
        x = torch.tensor(x0[None], dtype=dtype)
        mask = torch.zeros(layers[-1][0].shape[1], 1, dtype=dtype)
        mask[row, 0] = 1
        clip = {} if low is None else {"x_L": torch.tensor(low[None], dtype=dtype), "x_U": torch.tensor(high[None], dtype=dtype)}
        model = BoundedModule(Norm(layers, dtype), (BoundedTensor(x), mask), device="cpu")
        box = BoundedTensor(x, PerturbationLpNorm(norm=np.inf, eps=eps, **clip))
        for _ in range(2):
            began = time.process_time()
            bound = model.compute_jacobian_bounds((box, mask), optimize=False, bound_lower=False)[1]
            seconds = time.process_time() - began
        out.append((bound.item(), seconds))
    torch.set_default_dtype(torch.float32)
    return out[0][0], out[1][1]


def ours(nigh, path, folder, x0, eps, row, *more):
    np.save(folder + "/x.npy", x0)
    run = [nigh, "verify", "local-lipschitz", path, "--at", folder + "/x.npy", "--radius", repr(eps), "--class", str(row), "--samples", "0", "--threads", "1", "--json", *more]
    best = None
    for _ in range(5):
        began = os.times()
        r = json.loads(subprocess.run(run, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}).stdout)["rows"][0]
        end = os.times()
        r["seconds"] = min(r["seconds"], end.children_user + end.children_system - began.children_user - began.children_system)
        best = r if best is None or r["seconds"] < best["seconds"] else best
    return best["bound"], best["seconds"]


def show(what, pairs):
    a, b = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    print("%-14s nigh %.6g in %.3g ms, auto_LiRPA %.6g in %.3g ms; ratio of bounds mean %.6f, least %.6f, most %.6f; of times %.1f" % (
        what, a[:, 0].mean(), 1e3 * a[:, 1].mean(), b[:, 0].mean(), 1e3 * b[:, 1].mean(), (a[:, 0] / b[:, 0]).mean(), (a[:, 0] / b[:, 0]).min(), (a[:, 0] / b[:, 0]).max(),
        b[:, 1].sum() / a[:, 1].sum()), flush=True)


def read_onnx(path):
    """Weights of a chain of MatMul and Add as stored (raw or float data), in order."""
    def fields(b):
        i = 0
        while i < len(b):
            k, s = 0, 0
            while True:
                c = b[i]; i += 1; k |= (c & 127) << s; s += 7
                if c < 128: break
            v, s = 0, 0
            if k & 7 == 5: yield k >> 3, b[i:i + 4]; i += 4; continue
            while True:
                c = b[i]; i += 1; v |= (c & 127) << s; s += 7
                if c < 128: break
            if k & 7 == 2: yield k >> 3, b[i:i + v]; i += v
            else: yield k >> 3, v
    graph = next(v for k, v in fields(gzip.open(path).read()) if k == 7)
    found = {}
    for k, v in fields(graph):
        if k == 5:
            dims, name, data = [], "", b""
            for q, u in fields(v):
                if q == 1: dims += [u] if isinstance(u, int) else list(u)
                if q == 8: name = u.decode()
                if q in (4, 9): data = u
            found[name] = (dims, data)
    return found


def main():
    nigh, data = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/net.onnx"
        for sizes in ((16, 32, 32, 10), (16, 32, 32, 32, 10), (16, 24, 24, 24, 24, 10)):
            pairs = []
            for _ in range(10):
                layers = [(rng.normal(size=(a, b)).astype("f4") * np.float32((2 / a) ** 0.5), (0.1 * rng.normal(size=b)).astype("f4")) for a, b in zip(sizes, sizes[1:])]
                x0 = rng.random(16)
                write_onnx(path, layers)
                pairs.append((ours(nigh, path, folder, x0, 0.05, 0), theirs(layers, x0, 0.05, 0)))
            show("x".join(map(str, sizes[1:-1])), pairs)
        if data:
            found = read_onnx(data + "/mnist_fc/onnx/mnist-net_256x2.onnx.gz")
            images = np.frombuffer(gzip.open(data + "/mnist/t10k-images-idx3-ubyte.gz").read()[16:], np.uint8).reshape(-1, 784) / 255
            arrays = [np.frombuffer(v, "<f4").reshape(d) for d, v in found.values() if len(v) > 4 and len(v) == 4 * int(np.prod(d))]
            weights, biases = [a for a in arrays if a.ndim == 2], [a.ravel() for a in arrays if a.ndim == 1]
            weights = [w if w.shape[0] == n else w.T for w, n in zip(weights, (784, 256, 256))]
            layers = list(zip(weights, biases))
            assert [w.shape for w in weights] == [(784, 256), (256, 256), (256, 10)], [w.shape for w in weights]
            write_onnx(path, layers)
            pairs = []
            for k in range(3):
                x0 = images[k]
                low, high = np.maximum(x0 - 0.03, 0), np.minimum(x0 + 0.03, 1)
                pairs.append((ours(nigh, path, folder, x0, 0.03, k, "--clip", "0,1"), theirs(layers, x0, 0.03, k, low, high)))
            show("mnist 256x2", pairs)


main()
