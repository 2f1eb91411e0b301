"""The Fourier neural operator of neuraloperator under PyTorch, beside bench/train_fields (fields_beside.py alternates the two).

  torch_fno.py step  [key=value ...]    seconds of training steps (forward, backward, Adam), after warming up
  torch_fno.py apply [key=value ...]    seconds of one-sample answers
  torch_fno.py parity FILE [key=value]  writes weights, batches and losses of 50 Adam steps to FILE.npz, and answers afterwards; prints losses and a test error

Keys: size 64, width 32, modes 12, layers 4, batch 20, count 10, compile 0, threads 2, rate 1e-3, dims 2, tests 40 (fields of the test error).
"""
import resource
import sys
import time

import numpy as np
import torch


def arguments(words):
    options = dict(size=64, width=32, modes=12, layers=4, batch=20, count=10, compile=0, threads=2, rate=1e-3, dims=2, tests=40)
    for word in words:
        key, value = word.split('=')
        options[key] = float(value) if key == 'rate' else int(value)
    return options


def rss():
    """Resident megabytes: now, and the most so far."""
    with open('/proc/self/status', encoding='ascii') as file:
        now = next(int(line.split()[1]) for line in file if line.startswith('VmRSS'))
    return now / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def model_of(o):
    from neuralop.models import FNO
    torch.manual_seed(1)
    return FNO(n_modes=(o['modes'],) * o['dims'], in_channels=1, out_channels=1, hidden_channels=o['width'], n_layers=o['layers'])


def loss_of(answer, y):
    dims = tuple(range(1, y.ndim))
    return (torch.sqrt(((answer - y) ** 2).sum(dims)) / torch.sqrt((y ** 2).sum(dims))).mean()


def fields(o, n, seed):
    """Smooth random fields and a nonlinear function of them."""
    rng = np.random.default_rng(seed)
    shape = (n,) + (o['size'],) * o['dims']
    k = np.meshgrid(*[np.fft.fftfreq(o['size'], 1 / o['size'])] * o['dims'], indexing='ij')
    decay = (1 + sum(f * f for f in k)) ** -1.5
    axes = tuple(range(1, o['dims'] + 1))
    x = np.fft.ifftn(np.fft.fftn(rng.standard_normal(shape), axes=axes) * decay, axes=axes).real
    x /= x.std()
    y = np.fft.ifftn(np.fft.fftn(np.tanh(x) + 0.3 * x * x, axes=axes) * decay ** 0.5, axes=axes).real
    return x.astype(np.float32), y.astype(np.float32)


def step_of(o, model):
    # not fused: its own default, and the form that the comparison of losses uses
    optimiser = torch.optim.Adam(model.parameters(), lr=o['rate'])

    def step(x, y):
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(model(x), y)
        loss.backward()
        optimiser.step()
        return loss.item()
    return step


def nigh_weights(model, o):
    """Arrays by nigh's names and layouts."""
    out = {}

    def put(name, linear):
        out[name + '.weight'] = linear.weight.detach().numpy().squeeze(-1).T
        if linear.bias is not None:
            out[name + '.bias'] = linear.bias.detach().numpy()
    for part in ('lifting', 'projection'):
        for i in range(2):
            put(f'{part}.{i}', getattr(model, part).fcs[i])
    blocks = model.fno_blocks
    for b in range(o['layers']):
        weight = blocks.convs[b].weight.tensor.detach().numpy()  # [in, out, modes of H, modes of W]
        weight = np.stack([weight.real, weight.imag])
        order = (4, 3, 1, 0, 2) if o['dims'] == 2 else (3, 1, 0, 2)
        out[f'blocks.{b}.spectral.weight'] = weight.transpose(order)
        out[f'blocks.{b}.spectral.bias'] = blocks.convs[b].bias.detach().numpy().reshape(-1)
        put(f'blocks.{b}.skip', blocks.fno_skips[b].conv)
        out[f'blocks.{b}.gate.weight'] = blocks.channel_mlp_skips[b].weight.detach().numpy().reshape(-1)
        for i in range(2):
            put(f'blocks.{b}.mlp.{i}', blocks.channel_mlp[b].fcs[i])
    return {name: np.array(value, dtype=np.float32, order='C') for name, value in out.items()}


def parity(path, o):
    model, step = model_of(o), None
    x, y = fields(o, 10 * o['batch'], 1)
    xt, yt = fields(o, o['tests'], 2)
    kept = dict(x=x[..., None], y=y[..., None], xt=xt[..., None], yt=yt[..., None], **nigh_weights(model, o))
    losses = []
    step = step_of(o, model)
    x, y, xt, yt = (torch.from_numpy(v)[:, None] for v in (x, y, xt, yt))
    for i in range(50):
        rows = slice(i % 10 * o['batch'], (i % 10 + 1) * o['batch'])
        losses.append(step(x[rows], y[rows]))
        print('loss', i, repr(losses[-1]))
    with torch.inference_mode():
        answer = model(xt)
        print('test', repr(loss_of(answer, yt).item()))
    np.savez_compressed(path, losses=np.array(losses), answer=answer[:, 0, ..., None].numpy(), **kept)


def main():
    what, words = sys.argv[1], sys.argv[2:]
    path = words.pop(0) if what == 'parity' else None
    o = arguments(words)
    torch.set_num_threads(o['threads'])
    if what == 'parity':
        return parity(path, o)
    model = model_of(o)
    x, y = (torch.from_numpy(v)[:, None] for v in fields(o, o['batch'] if what == 'step' else 1, 1))
    idle = rss()[0]
    if what == 'step':
        run = step_of(o, torch.compile(model) if o['compile'] else model)
    else:
        model.eval()
        answer = torch.compile(model) if o['compile'] else model

        def run(x, _):
            with torch.inference_mode():
                return answer(x)
    for _ in range(3):
        run(x, y)
    for _ in range(o['count']):
        start, cpu = time.perf_counter(), time.process_time()
        run(x, y)
        print('seconds', time.perf_counter() - start, time.process_time() - cpu)
    print('rss', idle, rss()[1])


if __name__ == "__main__":
    main()
