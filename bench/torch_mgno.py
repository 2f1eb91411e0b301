"""The multigrid neural operator of nigh/fields.h under PyTorch, beside `train_fields ... mgno=LEVELS`: the words, keys and output of torch_fno.py.

`layers` is the number of V-cycles, `width` the channels, `mgno` the levels at most; last=1: channels-last memory; compile=1: torch.compile.
"""
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import torch_fno


def conv(inside, out, stride=1):
    return nn.Conv2d(inside, out, 3, stride, padding=1, bias=False)


class Cycle(nn.Module):
    """One step on every level on the way down, two on the last of several."""

    def __init__(self, inside, width, levels):
        super().__init__()
        f = [inside] + [width] * (levels - 1)
        steps = [1] * (levels - 1) + [2 if levels > 1 else 1]
        self.S = nn.ModuleList([nn.ModuleList([conv(f[j], width) for _ in range(steps[j])]) for j in range(levels)])
        self.A = nn.ModuleList([nn.ModuleList([conv(width, f[j]) for _ in range(steps[j] - (j == 0))]) for j in range(levels)])
        self.R = nn.ModuleList([conv(f[j], width, 2) for j in range(levels - 1)])
        self.Pi = nn.ModuleList([conv(width, width, 2) for _ in range(levels - 1)])
        self.P = nn.ModuleList([nn.ConvTranspose2d(width, width, 4, 2, padding=1, bias=False) for _ in range(levels - 1)])

    def forward(self, f):
        u, there = None, []
        for j, smoothers in enumerate(self.S):
            for i, S in enumerate(smoothers):
                u = S(f) if u is None else u + S(f - self.A[j][i - (j == 0)](u))
            there.append(u)
            if j + 1 < len(self.S):
                u, f = self.Pi[j](u), self.R[j](f)
        for j in range(len(self.P) - 1, -1, -1):
            u = there[j] + self.P[j](u)
        return u


class MgNO(nn.Module):
    def __init__(self, width, layers, levels):
        super().__init__()
        self.cycles = nn.ModuleList([Cycle(width if i else 1, width, levels) for i in range(layers)])
        self.skips = nn.ModuleList([nn.Conv2d(width if i else 1, width, 1) for i in range(layers)])
        self.out = nn.Conv2d(width, 1, 1, bias=False)

    def forward(self, x):
        for cycle, skip in zip(self.cycles, self.skips):
            x = F.gelu(cycle(x) + skip(x))
        return self.out(x)


def nigh_weights(model):
    out = {'out.weight': model.out.weight[:, :, 0, 0].T}
    for k, (cycle, skip) in enumerate(zip(model.cycles, model.skips)):
        out[f'layer.{k}.skip.weight'], out[f'layer.{k}.skip.bias'] = skip.weight[:, :, 0, 0].T, skip.bias
        for j, smoothers in enumerate(cycle.S):
            for i, S in enumerate(smoothers):
                out[f'layer.{k}.{j}.S{i}.weight'] = S.weight.permute(2, 3, 1, 0)
            for i, A in enumerate(cycle.A[j]):
                out[f'layer.{k}.{j}.A{i + (j == 0)}.weight'] = A.weight.permute(2, 3, 1, 0)
        for j, P in enumerate(cycle.P):
            out[f'layer.{k}.{j}.R.weight'] = cycle.R[j].weight.permute(2, 3, 1, 0)
            out[f'layer.{k}.{j}.Pi.weight'] = cycle.Pi[j].weight.permute(2, 3, 1, 0)
            out[f'layer.{k}.{j}.P.weight'] = P.weight.permute(2, 3, 1, 0)
    return {name: np.array(value.detach().numpy(), dtype=np.float32, order='C') for name, value in out.items()}


def main():
    what, words = sys.argv[1], sys.argv[2:]
    path = words.pop(0) if what == 'parity' else None
    last = 'last=1' in words
    most = next((int(w.split('=')[1]) for w in words if w.startswith('mgno=')), 12)
    o = torch_fno.arguments([w for w in words if w.split('=')[0] not in ('mgno', 'last')])
    levels = min(most, int(np.log2(o['size'])))
    torch.set_num_threads(o['threads'])
    torch.manual_seed(1)
    form = torch.channels_last if last else torch.contiguous_format
    model = MgNO(o['width'], o['layers'], levels).to(memory_format=form)

    def tensors(n, seed):
        return (torch.from_numpy(v)[:, None].to(memory_format=form) for v in torch_fno.fields(o, n, seed))
    if what == 'parity':
        x, y = tensors(10 * o['batch'], 1)
        xt, yt = tensors(o['tests'], 2)
        kept = nigh_weights(model)
        step, losses = torch_fno.step_of(o, model), []
        for i in range(50):
            rows = slice(i % 10 * o['batch'], (i % 10 + 1) * o['batch'])
            losses.append(step(x[rows], y[rows]))
            print('loss', i, repr(losses[-1]))
        with torch.inference_mode():
            answer = model(xt)
        print('test', repr(torch_fno.loss_of(answer, yt).item()))
        arrays = {'x': x, 'y': y, 'xt': xt, 'yt': yt, 'answer': answer}
        np.savez_compressed(path, losses=np.array(losses), **{k: v[:, 0, ..., None].numpy() for k, v in arrays.items()}, **kept)
        return
    x, y = tensors(o['batch'] if what == 'step' else 1, 1)
    idle = torch_fno.rss()[0]
    called = torch.compile(model) if o['compile'] else model
    step = torch_fno.step_of(o, called)

    def answer(x, _):
        with torch.inference_mode():
            return called(x)
    run = step if what == 'step' else answer
    for _ in range(3):
        run(x, y)
    for _ in range(o['count']):
        start, cpu = time.perf_counter(), time.process_time()
        run(x, y)
        print('seconds', time.perf_counter() - start, time.process_time() - cpu)
    print('rss', idle, torch_fno.rss()[1])


main()
