"""Losses of 50 steps of a small network by PyTorch for each optimiser, from weights and batches that are sines: writes test/nn/train_losses.inc."""
import math
import os

import torch

torch.set_default_dtype(torch.float64)
ROWS, IN, HIDDEN, BATCH, STEPS = 24, 4, 8, 8, 50


def sines(first, *shape):
    n = math.prod(shape)
    return torch.tensor([math.sin(first + 1.7 * i) for i in range(n)]).reshape(shape)


class Lion(torch.optim.Optimizer):
    """PyTorch has none: "Symbolic discovery of optimization algorithms", algorithm 2."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {'lr': lr, 'betas': betas, 'weight_decay': weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            low, high = group['betas']
            for p in group['params']:
                m = self.state[p].setdefault('m', torch.zeros_like(p))
                p.mul_(1 - group['lr'] * group['weight_decay']).sub_(group['lr'] * torch.sign(low * m + (1 - low) * p.grad))
                m.mul_(high).add_((1 - high) * p.grad)


CASES = {
    'sgd': lambda p: torch.optim.SGD(p, lr=.05, weight_decay=.01),
    'momentum': lambda p: torch.optim.SGD(p, lr=.02, momentum=.9, weight_decay=.01),
    'nesterov': lambda p: torch.optim.SGD(p, lr=.02, momentum=.9, nesterov=True, weight_decay=.01),
    'adam': lambda p: torch.optim.Adam(p, lr=.01, weight_decay=.01),
    'adamw': lambda p: torch.optim.AdamW(p, lr=.01, weight_decay=.1),
    'lion': lambda p: Lion(p, lr=.003, betas=(.9, .99), weight_decay=.1),
    'clipped': lambda p: torch.optim.Adam(p, lr=.01),
}


def losses(name):
    x, y = sines(.1, ROWS, IN), sines(.3, ROWS, 1)
    w = [sines(.5, IN, HIDDEN) / 2, sines(.7, HIDDEN) / 4, sines(.9, HIDDEN, 1) / 3, sines(1.1, 1)]
    for p in w:
        p.requires_grad_()
    optimiser, out = CASES[name](w), []
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=.02, total_steps=STEPS, cycle_momentum=False) if name == 'clipped' else None
    for step in range(STEPS):
        at = step * BATCH % ROWS
        optimiser.zero_grad()
        loss = ((torch.tanh(x[at:at + BATCH] @ w[0] + w[1]) @ w[2] + w[3] - y[at:at + BATCH])**2).mean()
        loss.backward()
        if schedule:
            torch.nn.utils.clip_grad_norm_(w, .05)
        optimiser.step()
        if schedule:
            schedule.step()
        out.append(loss.item())
    return out


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'train_losses.inc'), 'w') as f:
    f.write('/* Written by train_losses.py. */\n')
    for name in CASES:
        values = ['%.12g' % v for v in losses(name)]
        f.write('{"%s", {%s}},\n' % (name, ',\n     '.join(', '.join(values[i:i + 10]) for i in range(0, STEPS, 10))))
