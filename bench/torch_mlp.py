"""Times of PyTorch for the cases of bench/train_mlp.c: `torch_mlp.py --serve` reads names of cases and prints "NAME seconds kind", the fastest of the ways it knows:
eager or compiled, and for the many trainings one process of two threads, or half the time of one of one thread (two such processes side by side)."""
import sys
import time

import torch
from torch import nn

ROWS, BATCH, POINTS, NETS, EPOCHS = 8000, 128, 1000, 100, 200


def wide():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))


def median(f, n, rounds):
    f()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(n):
            f()
        times.append((time.perf_counter() - start) / n)
    return sorted(times)[rounds // 2]


COMPILED = {}


def steps(kind):
    """One training step of the wide network on batches taken from a permutation."""
    if kind in COMPILED:
        return COMPILED[kind]
    x, y = torch.rand(ROWS, 784), torch.randint(0, 10, (ROWS,))
    net = wide()
    optimiser = torch.optim.Adam(net.parameters(), foreach=True) if kind == 'eager' else torch.optim.Adam(net.parameters(), fused=True)
    run = torch.compile(net) if kind == 'compiled' else net
    state = {'at': 0, 'order': torch.randperm(ROWS)}

    def step():
        if state['at'] + BATCH > ROWS:
            state['at'], state['order'] = 0, torch.randperm(ROWS)
        rows = state['order'][state['at']:state['at'] + BATCH]
        state['at'] += BATCH
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(run(x[rows]), y[rows]).backward()
        optimiser.step()

    for _ in range(20):
        step()
    COMPILED[kind] = step
    return step


def applies(kind, batch):
    if (kind, batch) in COMPILED:
        return COMPILED[kind, batch]
    net, x = wide().eval(), torch.rand(batch, 784)
    if kind == 'compiled':
        net = torch.compile(net)

    def apply():
        with torch.inference_mode():
            net(x)

    for _ in range(20):
        apply()
    COMPILED[kind, batch] = apply
    return apply


def small(batch, epochs, fused):
    """One training of 20-50-1."""
    x, y = torch.randn(POINTS, 20), torch.randn(POINTS, 1)
    net = nn.Sequential(nn.Linear(20, 50), nn.Tanh(), nn.Linear(50, 1))
    optimiser = torch.optim.Adam(net.parameters(), fused=fused)
    for _ in range(epochs):
        order = torch.randperm(POINTS) if batch < POINTS else None
        for at in range(0, POINTS - batch + 1, batch):
            bx, by = (x[order[at:at + batch]], y[order[at:at + batch]]) if batch < POINTS else (x, y)
            optimiser.zero_grad(set_to_none=True)
            nn.functional.mse_loss(net(bx), by).backward()
            optimiser.step()


def stacked(batch, epochs):
    """All trainings in one: weights stacked, batched products; what a careful user writes by hand."""
    x, y = torch.randn(POINTS, 20), torch.randn(POINTS, 1)
    w1, b1, w2, b2 = (torch.randn(NETS, *s).mul_(.1).requires_grad_() for s in ((20, 50), (1, 50), (50, 1), (1, 1)))
    optimiser = torch.optim.Adam([w1, b1, w2, b2], fused=True)
    for _ in range(epochs):
        order = torch.rand(NETS, POINTS).argsort(1) if batch < POINTS else None
        for at in range(0, POINTS - batch + 1, batch):
            bx, by = (x[order[:, at:at + batch]], y[order[:, at:at + batch]]) if batch < POINTS else (x.expand(NETS, -1, -1), y.expand(NETS, -1, -1))
            optimiser.zero_grad(set_to_none=True)
            out = torch.baddbmm(b2, torch.tanh(torch.baddbmm(b1, bx, w1)), w2)
            ((out - by)**2).mean((1, 2)).sum().backward()
            optimiser.step()


def many(batch):
    """Seconds of all: from one training of few epochs, times what is missing; the first way of the two is what users write."""
    epochs, found = max(1, 200 * batch // 32 // 40), {}
    for threads in 1, 2:
        torch.set_num_threads(threads)
        for fused in False, True:
            small(batch, 2, fused)
            start = time.perf_counter()
            small(batch, epochs, fused)
            spent = (time.perf_counter() - start) * EPOCHS / epochs * NETS
            name = ('fused' if fused else 'foreach') + (', two processes' if threads == 1 else ', two threads')
            found[name] = spent / 2 if threads == 1 else spent
    torch.set_num_threads(2)
    best = min(found, key=found.get)
    return found[best], best


def many_stacked(batch):
    stacked(batch, 1)
    epochs = 3
    start = time.perf_counter()
    stacked(batch, epochs)
    return (time.perf_counter() - start) * EPOCHS / epochs, 'stacked'


def best(times):
    kind = min(times, key=times.get)
    return times[kind], kind


def measure(name):
    kind, _, number = name.partition('-')
    if kind == 'step':
        return best({k: median(steps(k), 20, 15) for k in ('eager', 'fused', 'compiled')})
    if kind == 'epoch':
        return best({k: median(steps(k), ROWS // BATCH, 3) * (ROWS // BATCH) for k in ('eager', 'fused', 'compiled')})
    if kind == 'apply':
        batch = int(number or BATCH)
        return best({k: median(applies(k, batch), 100 if batch > 100 else 1000, 15) for k in ('eager', 'compiled')})
    if kind == 'stacked':
        return many_stacked(int(number))
    return many(int(number))


def main():
    torch.set_num_threads(2)
    for name in sys.stdin if sys.argv[1:] == ['--serve'] else sys.argv[1:]:
        name = name.strip()
        print('%s %.9g %s' % (name, *measure(name)), flush=True)


if __name__ == '__main__':
    main()
