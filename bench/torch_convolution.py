#!/usr/bin/env python3
"""The shapes of bench/convolution.c in PyTorch, NCHW and channels_last: best milliseconds of forward, data and weight gradient."""
import sys
import time

import torch

SHAPES = [  # name, samples, size, in, out, kernel, stride, groups
    ('unet-1', 16, 64, 32, 32, 3, 1, 1), ('unet-2', 16, 32, 64, 64, 3, 1, 1), ('unet-3', 16, 16, 128, 128, 3, 1, 1), ('unet-4', 16, 8, 256, 256, 3, 1, 1),
    ('unet-1-single', 1, 64, 32, 32, 3, 1, 1), ('unet-2-single', 1, 32, 64, 64, 3, 1, 1), ('unet-3-single', 1, 16, 128, 128, 3, 1, 1),
    ('unet-4-single', 1, 8, 256, 256, 3, 1, 1), ('first', 16, 64, 1, 32, 3, 1, 1), ('first-3', 16, 64, 3, 32, 3, 1, 1), ('last', 16, 64, 32, 1, 3, 1, 1),
    ('down', 16, 64, 32, 64, 2, 2, 1), ('patch', 16, 64, 3, 96, 4, 4, 1), ('depthwise-7', 16, 32, 96, 96, 7, 1, 96)]


def best(run, work):
    repeat = int(2e9 / work) + 1
    times = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(repeat):
            run()
        times.append((time.perf_counter() - start) / repeat)
    return min(times) * 1e3


def main():
    torch.set_num_threads(2)
    only = sys.argv[1] if len(sys.argv) > 1 else ''
    print('torch', torch.__version__, 'threads', torch.get_num_threads())
    for name, n, size, cin, cout, k, stride, groups in SHAPES:
        if only not in name:
            continue
        pad = 0 if stride > 1 else k // 2
        for layout, form in (('NCHW', torch.contiguous_format), ('channels_last', torch.channels_last)):
            x = torch.randn(n, cin, size, size).to(memory_format=form)
            w = torch.randn(cout, cin // groups, k, k).to(memory_format=form)
            y = torch.nn.functional.conv2d(x, w, None, stride, pad, 1, groups)
            dy = torch.randn_like(y)
            work = 2 * y.numel() * k * k * cin / groups

            def back(mask):
                return torch.ops.aten.convolution_backward(dy, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], groups, mask)

            with torch.no_grad():
                times = [best(lambda: torch.nn.functional.conv2d(x, w, None, stride, pad, 1, groups), work),
                         best(lambda: back([True, False, False]), work), best(lambda: back([False, True, False]), work)]
            print(f'{name:14s} {layout:14s} forward {times[0]:8.3f} ms   data {times[1]:8.3f} ms   weight {times[2]:8.3f} ms', flush=True)


main()
