"""The U-Net of nigh/fields.h under PyTorch, beside `train_fields ... unet=1`: the words, keys and output of torch_fno.py.

`layers` is the number of scales, `width` the channels at the finest; last=1: channels-last memory; compile=1: torch.compile.
"""
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import torch_fno


class Pair(nn.Module):
    def __init__(self, inside, out):
        super().__init__()
        self.conv = nn.ModuleList([nn.Conv2d(inside, out, 3, padding=1, bias=False), nn.Conv2d(out, out, 3, padding=1, bias=False)])
        self.norm = nn.ModuleList([nn.GroupNorm(8, out), nn.GroupNorm(8, out)])

    def forward(self, x):
        for conv, norm in zip(self.conv, self.norm):
            x = F.gelu(norm(conv(x)))
        return x


class UNet(nn.Module):
    def __init__(self, base, scales):
        super().__init__()
        self.down = nn.ModuleList([Pair(base << (i - 1) if i else 1, base << i) for i in range(scales)])
        self.up = nn.ModuleList([Pair(3 * base << i, base << i) for i in range(scales - 1)])
        self.out = nn.Conv2d(base, 1, 1)

    def forward(self, x):
        there = []
        for i, pair in enumerate(self.down):
            x = pair(F.max_pool2d(x, 2) if i else x)
            there.append(x)
        for i in range(len(self.up) - 1, -1, -1):
            x = F.interpolate(x, size=there[i].shape[2:], mode='bilinear', align_corners=False)
            x = self.up[i](torch.cat([there[i], x], 1))
        return self.out(x)


def nigh_weights(model, scales):
    out = {'out.weight': model.out.weight[:, :, 0, 0].T, 'out.bias': model.out.bias}
    for side in ('down', 'up'):
        for level, pair in enumerate(getattr(model, side)):
            for i in range(2):
                out[f'{side}.{level}.conv{i}.weight'] = pair.conv[i].weight.permute(2, 3, 1, 0)
                out[f'{side}.{level}.norm{i}.weight'] = pair.norm[i].weight
                out[f'{side}.{level}.norm{i}.bias'] = pair.norm[i].bias
    return {name: np.array(value.detach().numpy(), dtype=np.float32, order='C') for name, value in out.items()}


def main():
    what, words = sys.argv[1], sys.argv[2:]
    path = words.pop(0) if what == 'parity' else None
    last = 'last=1' in words
    o = torch_fno.arguments(words)
    torch.set_num_threads(o['threads'])
    torch.manual_seed(1)
    model = UNet(o['width'], o['layers'])
    form = torch.channels_last if last else torch.contiguous_format
    model = model.to(memory_format=form)

    def tensors(n, seed):
        return (torch.from_numpy(v)[:, None].to(memory_format=form) for v in torch_fno.fields(o, n, seed))
    if what == 'parity':
        x, y = tensors(10 * o['batch'], 1)
        xt, yt = tensors(o['tests'], 2)
        kept = nigh_weights(model, o['layers'])
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
