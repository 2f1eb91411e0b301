"""Linear bounds beside auto_LiRPA (its repository's newest state): tightness and time, alternating.

    PYTHONPATH=AUTO_LIRPA python crown_beside.py build/bench/crown_time [--mnist-fc FOLDER] [--threads 1] [--repeats 10] [--steps 20] [--only NAME]

The same networks (f32 weights) and boxes on both sides. Timed: on auto_LiRPA's side one call of compute_bounds(method='CROWN'), float32, the module made and warmed up before, without
gradients: intermediate bounds of every layer by CROWN, lower and upper bounds of all outputs; on nigh's the same work in f64 with its account of rounding, prepared object and batch as
given by crown_time.c. "optimised": compute_bounds(method='CROWN-Optimized') with that many iterations (intermediate bounds stay those of CROWN; slopes of each output and side its own,
rate 0.5, early stopping off; --steps 0: left out), beside bounds_crown and bounds_optimise with as many steps and slopes of each output and side its own. The best of the repeats of either side.
"""
import argparse, gzip, json, os, re, subprocess, sys, tempfile, time, warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm

nn = torch.nn


class Residual(nn.Module):
    """Two blocks of two convolutions on 16 channels between a strided convolution and dense layers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, 2, 1)
        self.a = nn.ModuleList([nn.Conv2d(16, 16, 3, 1, 1) for _ in range(2)])
        self.b = nn.ModuleList([nn.Conv2d(16, 16, 3, 1, 1) for _ in range(2)])
        self.down = nn.Conv2d(16, 32, 3, 2, 1)
        self.last = nn.Linear(32 * 8 * 8, 10)

    def forward(self, x):
        x = torch.relu(self.first(x))
        for a, b in zip(self.a, self.b):
            x = torch.relu(b(torch.relu(a(x))) + x)
        return self.last(torch.relu(self.down(x)).flatten(1))


def networks(folder):
    torch.manual_seed(1)
    conv = lambda *layers: nn.Sequential(*layers)
    small = conv(nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10))
    tiny = conv(nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 4, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(392, 10))
    deep = conv(nn.Conv2d(3, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 1, 1), nn.ReLU(), nn.Conv2d(64, 64, 4, 2, 1), nn.ReLU(), nn.Flatten(),
                nn.Linear(4096, 512), nn.ReLU(), nn.Linear(512, 10))
    for name, net, shape, eps in (("conv 1x28x28 8-8", tiny, (1, 28, 28), 0.03), ("conv 1x28x28 16-32-fc", small, (1, 28, 28), 0.03), ("residual 3x32x32", Residual(), (3, 32, 32), 0.01),
                                  ("conv 3x32x32 32-32-64-64-fc", deep, (3, 32, 32), 0.005)):
        x = torch.rand((1,) + shape)
        yield name, net, x - eps, x + eps
    if not folder:
        return
    import onnx
    from onnx import numpy_helper
    graph = onnx.load_from_string(gzip.open(os.path.join(folder, "onnx/mnist-net_256x2.onnx.gz")).read()).graph
    init = {i.name: numpy_helper.to_array(i).copy() for i in graph.initializer}
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    for place, layer in ((1, 0), (3, 2), (5, 4)):
        net[place].weight.data = torch.tensor(init["layers.%d.weight" % layer])
        net[place].bias.data = torch.tensor(init["layers.%d.bias" % layer])
    for prop in ("prop_0_0.03", "prop_1_0.03", "prop_2_0.03", "prop_3_0.03"):
        box = {"<=": torch.zeros(784), ">=": torch.zeros(784)}
        for sign, i, v in re.findall(r"\(assert \((<=|>=) X_(\d+) ([-\d.e]+)\)", gzip.open(os.path.join(folder, "vnnlib", prop + ".vnnlib.gz")).read().decode()):
            box[sign][int(i)] = float(v)
        yield "mnist_fc 256x2 " + prop, net, box[">="][None], box["<="][None]


def records(net, shape):
    """The network as crown_time.c reads it: fields channels last."""
    out = [0, int(np.prod(shape))]
    state = {"node": 0, "count": 1, "shape": shape, "flat": None}

    def add(*parts):
        for p in parts:
            out.extend(np.asarray(p, dtype=np.float64).ravel().tolist())
        state["node"], state["count"] = state["count"], state["count"] + 1

    def layer(m):
        if isinstance(m, nn.Conv2d):
            c, h, w = state["shape"]
            add([2, state["node"], h, w, c, m.out_channels, m.kernel_size[0], m.stride[0], m.padding[0]], m.weight.detach().permute(2, 3, 1, 0).numpy(), m.bias.detach().numpy())
            state["shape"] = (m.out_channels,) + tuple((s + 2 * m.padding[0] - m.kernel_size[0]) // m.stride[0] + 1 for s in (h, w))
        elif isinstance(m, nn.Linear):
            weight = m.weight.detach().numpy()
            if len(state["shape"]) == 3:
                weight = weight.reshape((-1,) + state["shape"]).transpose(0, 2, 3, 1).reshape(weight.shape)
            add([1, state["node"], m.out_features], weight, m.bias.detach().numpy())
            state["shape"] = (m.out_features,)
        elif isinstance(m, nn.ReLU):
            add([3, state["node"]])

    if isinstance(net, Residual):
        relu = nn.ReLU()
        layer(net.first), layer(relu)
        for a, b in zip(net.a, net.b):
            before = state["node"]
            layer(a), layer(relu), layer(b)
            add([4, state["node"], before])
            layer(relu)
        layer(net.down), layer(relu), layer(net.last)
    else:
        for m in net:
            layer(m)
    return np.array(out)


def peer(module, bounded, method):
    start = time.perf_counter()
    if method == "CROWN":
        with torch.no_grad():
            low, high = module.compute_bounds(x=(bounded,), method=method)
    else:
        low, high = module.compute_bounds(x=(bounded,), method=method)
    return time.perf_counter() - start, low.detach().numpy()[0].astype(float), high.detach().numpy()[0].astype(float)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("--mnist-fc")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--repeats", type=int, default=10)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--only", default="")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    folder = tempfile.mkdtemp()
    print("%-28s %28s %9s %9s %7s %9s | %9s %9s %7s %9s" % ("network", "uncertain", "peer ms", "nigh ms", "ratio", "slack", "peer ms", "nigh ms", "ratio", "slack"))
    for name, net, low, high in networks(a.mnist_fc):
        if a.only not in name:
            continue
        x = (low + high) / 2
        options = {"optimize_bound_args": {"iteration": a.steps, "early_stop_patience": 1000}}
        module = BoundedModule(net, x, bound_opts=options, verbose=False)
        bounded = BoundedTensor(x, PerturbationLpNorm(norm=float("inf"), x_L=low, x_U=high))
        records(net, tuple(x.shape[1:])).tofile(folder + "/net")
        to = lambda t: (t[0].permute(1, 2, 0) if t.dim() == 4 else t[0]).numpy().astype(np.float64).ravel()
        np.concatenate([to(low), to(high)]).tofile(folder + "/box")
        repeats = 3 if "64" in name or "residual" in name else a.repeats
        best = {}
        methods = (("crown", "CROWN"), ("optimised", "CROWN-Optimized"))[: 2 if a.steps else 1]
        for _, method in methods:
            peer(module, bounded, method)
        for r in range(repeats):
            ours = json.loads(subprocess.check_output([a.program, folder + "/net", folder + "/box", "--count", str(a.threads), "--repeats", "3" if "64" in name else "5", "--steps", str(a.steps)]))
            for key, method in methods:
                if r > 1 and key == "optimised":
                    continue
                seconds, l, h = peer(module, bounded, method)
                # How much wider nigh's interval is, of the peer's width, on the average (below 0: tighter).
                wider = np.mean((np.array(ours[key]["high"]) - ours[key]["low"]) - (h - l)) / np.mean(h - l)
                worst = max(np.max(l - ours[key]["low"]), np.max(ours[key]["high"] - h))
                was = best.get(key, (1e9, 1e9, 0, 0))
                best[key] = (min(was[0], seconds * 1e3), min(was[1], ours[key]["best_ms"]), wider, worst)
        c, o = best["crown"], best.get("optimised", (0, 1, 0, 0))
        print("%-28s %28s %9.2f %9.3f %6.1fx %9.1e | %9.1f %9.2f %6.1fx %9.1e" % (name[:28], ours["uncertain"], c[0], c[1], c[0] / c[1], c[3], o[0], o[1], o[0] / o[1], o[2]), flush=True)


main()
