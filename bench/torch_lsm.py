"""The latent spectral model of nigh/fields.h under PyTorch, beside `train_fields ... lsm=1`: the words, keys and output of torch_fno.py.

`layers` is the number of scales, `width` the channels at the finest; last=1: channels-last memory; compile=1: torch.compile; double=1: parity in
f64. Patches of 4 x 4, 4 heads, 4 tokens, 12 basis functions.
"""
import math
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import torch_fno

PATCH, HEADS, TOKENS, BASIS = 4, 4, 4, 12


class Pair(nn.Module):
    def __init__(self, inside, middle, out):
        super().__init__()
        self.conv = nn.ModuleList([nn.Conv2d(inside, middle, 3, padding=1, bias=False), nn.Conv2d(middle, out, 3, padding=1, bias=False)])
        self.norm = nn.ModuleList([nn.BatchNorm2d(middle), nn.BatchNorm2d(out)])

    def forward(self, x):
        for conv, norm in zip(self.conv, self.norm):
            x = F.relu(norm(conv(x)))
        return x


class Spectral(nn.Module):
    """Each patch by attention to tokens, these moved by sines and cosines, and back."""

    def __init__(self, channels):
        super().__init__()
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.tokens = nn.Parameter((2 * torch.rand(HEADS, TOKENS, channels // HEADS) - 1) / channels)
        self.waves = nn.Parameter((2 * torch.rand(channels, 2 * BASIS) - 1) / channels)
        self.register_buffer('frequency', math.pi * torch.arange(BASIS) / BASIS)

    def forward(self, x):
        n, c, h, w = x.shape
        u = self.project(x).permute(0, 2, 3, 1).reshape(n, h // PATCH, PATCH, w // PATCH, PATCH, 3, HEADS, c // HEADS)
        q, k, v = u.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, -1, HEADS, PATCH * PATCH, c // HEADS)
        y = self.tokens + torch.softmax(self.tokens @ k.transpose(-1, -2), -1) @ v
        angle = y[..., None] * self.frequency
        waves = self.waves.view(HEADS, 1, c // HEADS, 2, BASIS)
        z = y + (angle.sin() * waves[..., 0, :] + angle.cos() * waves[..., 1, :]).sum(-1)
        o = torch.softmax(q @ z.transpose(-1, -2), -1) @ z
        o = o.view(n, h // PATCH, w // PATCH, HEADS, PATCH, PATCH, c // HEADS).permute(0, 1, 4, 2, 5, 3, 6).reshape(n, h, w, c)
        return x + o.permute(0, 3, 1, 2)


class LSM(nn.Module):
    def __init__(self, width, scales):
        super().__init__()
        channels = [width << (i - (i == scales - 1 > 0)) for i in range(scales)]
        self.multiple = PATCH << (scales - 1)
        self.lift = nn.Conv2d(3, width, 1)
        self.down = nn.ModuleList([Pair(channels[i - 1] if i else width, c, c) for i, c in enumerate(channels)])
        self.block = nn.ModuleList([Spectral(c) for c in channels])
        self.up = nn.ModuleList([Pair(2 * c, c, channels[i - 1] if i else width) for i, c in enumerate(channels[:-1])])
        self.out = nn.Conv2d(width, width, 1)
        self.project0 = nn.Conv2d(width, 2 * width, 1)
        self.project1 = nn.Conv2d(2 * width, 1, 1)

    def forward(self, x):
        n, _, h, w = x.shape
        rows, columns = torch.linspace(0, 1, h), torch.linspace(0, 1, w)
        x = torch.cat([x, rows[None, None, :, None].expand(n, 1, h, w), columns.expand(n, 1, h, w)], 1)
        x = F.pad(self.lift(x), (0, -w % self.multiple, 0, -h % self.multiple))
        there = []
        for i, pair in enumerate(self.down):
            x = pair(F.max_pool2d(x, 2) if i else x)
            there.append(x)
        x = self.block[-1](x)
        for i in range(len(self.up) - 1, -1, -1):
            x = F.interpolate(x, size=there[i].shape[2:], mode='bilinear', align_corners=True)
            x = self.up[i](torch.cat([self.block[i](there[i]), x], 1))
        x = self.out(x)[:, :, :h, :w]
        return self.project1(F.gelu(self.project0(x)))


def nigh_weights(model):
    out = {}
    for name in ('lift', 'out', 'project0', 'project1'):
        part = getattr(model, name)
        out[name + '.weight'], out[name + '.bias'] = part.weight[:, :, 0, 0].T, part.bias
    for side in ('down', 'up'):
        for level, pair in enumerate(getattr(model, side)):
            for i in range(2):
                norm = pair.norm[i]
                out[f'{side}.{level}.conv{i}.weight'] = pair.conv[i].weight.permute(2, 3, 1, 0)
                for name, value in (('weight', norm.weight), ('bias', norm.bias), ('mean', norm.running_mean), ('variance', norm.running_var)):
                    out[f'{side}.{level}.norm{i}.{name}'] = value
    for level, block in enumerate(model.block):
        c = block.waves.shape[0]
        parts = {'weight': block.project.weight[:, :, 0, 0].T, 'bias': torch.cat([block.project.bias[:c], block.project.bias[2 * c:]]), 'tokens': block.tokens, 'waves': block.waves}
        out.update({f'block.{level}.latent.{name}': value for name, value in parts.items()})
    return {name: np.array(value.detach().numpy(), order='C') for name, value in out.items()}


def main():
    what, words = sys.argv[1], sys.argv[2:]
    path = words.pop(0) if what == 'parity' else None
    last = 'last=1' in words
    if 'double=1' in words:
        torch.set_default_dtype(torch.float64)
    o = torch_fno.arguments([w for w in words if not w.startswith(('last=', 'lsm=', 'double='))])
    torch.set_num_threads(o['threads'])
    torch.manual_seed(1)
    model = LSM(o['width'], o['layers'])
    form = torch.channels_last if last else torch.contiguous_format
    model = model.to(memory_format=form)

    def tensors(n, seed):
        return (torch.from_numpy(v)[:, None].to(torch.get_default_dtype(), memory_format=form) for v in torch_fno.fields(o, n, seed))
    if what == 'parity':
        x, y = tensors(10 * o['batch'], 1)
        xt, yt = tensors(o['tests'], 2)
        kept = nigh_weights(model)
        step, losses = torch_fno.step_of(o, model), []
        for i in range(50):
            rows = slice(i % 10 * o['batch'], (i % 10 + 1) * o['batch'])
            losses.append(step(x[rows], y[rows]))
            print('loss', i, repr(losses[-1]))
        model.eval()
        with torch.inference_mode():
            answer = model(xt)
        print('test', repr(torch_fno.loss_of(answer, yt).item()))
        arrays = {'x': x, 'y': y, 'xt': xt, 'yt': yt, 'answer': answer}
        np.savez_compressed(path, losses=np.array(losses), **{k: v[:, 0, ..., None].numpy() for k, v in arrays.items()}, **kept)
        return
    x, y = tensors(o['batch'] if what == 'step' else 1, 1)
    idle = torch_fno.rss()[0]
    if what == 'apply':
        model.eval()
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
