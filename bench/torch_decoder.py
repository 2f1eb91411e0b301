"""The decoder of bench/train_decoder.c in PyTorch: the same architecture, first weights, batches and optimiser.

    python bench/torch_decoder.py WEIGHTS.safetensors BATCHES.i32 steps=50 mode=eager|compile threads=2 [held=FILE.i32]

WEIGHTS: what `train_decoder ... save=` wrote. BATCHES: i32 [steps, batch, context + 1], what it wrote with batches=. One line a step: loss and seconds.
With rounds on standard input ("go N"), runs N more steps each time and answers with seconds, CPU seconds and loss: so that two programs can be timed in turn.
"""
import json
import math
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors import safe_open


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        c, self.heads = d["width"], d["heads"]
        bias = d["bias"]
        self.norm1, self.norm2 = (nn.LayerNorm(c, eps=d["norm_eps"], bias=bias) for _ in range(2))
        self.qkv, self.out = nn.Linear(c, 3 * c, bias=bias), nn.Linear(c, c, bias=bias)
        self.up, self.down = nn.Linear(c, d["hidden"], bias=bias), nn.Linear(d["hidden"], c, bias=bias)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(self.norm1(x)).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.embedding = nn.Embedding(d["vocabulary"], d["width"])
        self.positions = nn.Embedding(d["context"], d["width"])
        self.layers = nn.ModuleList(Block(d) for _ in range(d["layers"]))
        self.norm = nn.LayerNorm(d["width"], eps=d["norm_eps"], bias=d["bias"])

    def forward(self, tokens, targets):
        x = self.embedding(tokens) + self.positions.weight[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        logits = self.norm(x) @ self.embedding.weight.T
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))


def load(path):
    with safe_open(path, "pt") as f:
        d = json.loads(f.metadata()["nigh.decoder"])
        weights = {k: f.get_tensor(k) for k in f.keys()}
    assert d["positions"] == "learned" and d["norm"] == "layer" and d["place"] == "before" and d["activation"] == "gelu" and d["tied"]
    model = Decoder(d)
    with torch.no_grad():
        for name, p in model.named_parameters():
            w = weights.pop(name)
            p.copy_(w.T if p.dim() == 2 and ".weight" in name and not name.startswith(("embedding", "positions")) else w)
    assert not weights, weights.keys()
    return d, model


def main():
    options = dict(a.split("=", 1) for a in sys.argv[3:])
    steps, mode = int(options.get("steps", 50)), options.get("mode", "eager")
    torch.set_num_threads(int(options.get("threads", 2)))
    d, model = load(sys.argv[1])
    batch, length = int(options.get("batch", 16)), d["context"]
    data = torch.from_numpy(np.fromfile(sys.argv[2], np.int32).reshape(-1, batch, length + 1).astype(np.int64))
    decay = [p for p in model.parameters() if p.dim() >= 2]
    plain = [p for p in model.parameters() if p.dim() < 2]
    rate, warm_up = float(options.get("rate", 1e-3)), int(options.get("warmup", 100))
    total, last = int(options.get("total", 0)), float(options.get("last", 1e-4))
    optimiser = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=rate, betas=(0.9, 0.95), eps=1e-8, fused=True)
    loss_of = torch.compile(model) if mode == "compile" else model

    def rate_at(t):
        if t < warm_up:
            return rate * (t + 1) / warm_up
        if not total:
            return rate
        return last + (rate - last) * (1 + math.cos(math.pi * min(1, (t - warm_up) / (total - warm_up)))) / 2

    count = 0

    def step():
        nonlocal count
        rows = data[count % len(data)]
        for group in optimiser.param_groups:
            group["lr"] = rate_at(count)
        loss = loss_of(rows[:, :-1], rows[:, 1:])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        count += 1
        return loss

    for i in range(steps):
        start = time.perf_counter()
        loss = step().item()
        print(f"{i} {loss:.6f} {time.perf_counter() - start:.5f}")
    if "held" in options:
        held = torch.from_numpy(np.fromfile(options["held"], np.int32).astype(np.int64))
        rows = (len(held) - 1) // length
        x, y = held[: rows * length].view(rows, length), held[1 : rows * length + 1].view(rows, length)
        with torch.no_grad():
            total_loss = sum(float(model(x[i : i + 16], y[i : i + 16])) * len(x[i : i + 16]) for i in range(0, rows, 16))
        print(f"held {total_loss / rows / math.log(2):.4f} bits a token, {rows * length} tokens")
    sys.stdout.flush()
    for line in sys.stdin:
        n = int(line.split()[1])
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(n):
            loss = step()
        loss = loss.item()
        print(f"{time.perf_counter() - start:.6f} {time.process_time() - cpu:.6f} {loss:.6f}", flush=True)


main()
