"""Times of PyTorch's scaled_dot_product_attention for the cases of bench/attention.c: the better of the layouts [B, H, T, d] (dense) and
[B, T, H, d] (a slice, as a network holds it). Prints "NAME forward backward" in milliseconds, the least of several. THREADS as in bench/attention.c."""
import os
import sys
import time

import torch
from torch.nn.functional import scaled_dot_product_attention as attend

CASES = {  # batch, heads, queries, keys, width, causal, backward
    'causal-2048': (1, 8, 2048, 2048, 64, True, False), 'full-2048': (1, 8, 2048, 2048, 64, False, False),
    'train-128': (16, 4, 128, 128, 24, True, True), 'train-2048': (1, 8, 2048, 2048, 64, True, True),
    'decode-4096': (1, 32, 1, 4096, 64, False, False), 'decode-8-4096': (1, 32, 8, 4096, 64, False, False),
    'swin-49': (64, 4, 49, 49, 32, False, True), 'plain-512': (1, 8, 512, 512, 64, False, True)}


def least(f, repeats=7):
    best = float('inf')
    clock = time.perf_counter if torch.get_num_threads() > 1 else time.thread_time
    for _ in range(repeats):
        spent, n = 0, 0
        while n < 1 or (spent < .02 and n < 100):
            start = clock()
            f()
            took = clock() - start
            best, spent, n = min(best, took), spent + took, n + 1
    return 1e3 * best


def tensors(case, dense, grad):
    batch, heads, queries, keys, width = case[:5]
    out = []
    for length in (queries, keys, keys):
        shape = (batch, heads, length, width) if dense else (batch, length, heads, width)
        x = torch.randn(shape)
        out.append((x if dense else x.transpose(1, 2)).detach().requires_grad_(grad))
    return out


def measure(name):
    case = CASES[name]
    forward, backward = float('inf'), float('inf')
    for dense in (True, False):
        q, k, v = tensors(case, dense, False)
        with torch.inference_mode():
            forward = min(forward, least(lambda: attend(q, k, v, is_causal=case[5])))
        if not case[6]:
            continue
        q, k, v = tensors(case, dense, True)
        out = attend(q, k, v, is_causal=case[5])
        d = torch.randn_like(out)
        backward = min(backward, least(lambda: torch.autograd.grad(out, (q, k, v), d, retain_graph=True)))
    return forward, backward if case[6] else 0


if __name__ == '__main__':
    torch.set_num_threads(int(os.environ.get('THREADS', '2')))
    for name in sys.argv[1:] or CASES:
        print(name, '%.6f %.6f' % measure(name), flush=True)
