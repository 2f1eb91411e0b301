"""PyTorch's times beside bench/elementwise.c: one thread, ns an element."""
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(0)


def best(f, count, repeats):
    f()
    least = 1e9
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(repeats):
            f()
        least = min(least, (time.perf_counter() - start) * 1e9 / repeats / count)
    return least


small, big = 2 * torch.randn(1 << 15), torch.randn(32768, 128)
to = torch.empty_like(small)
for name, f in (('gelu', lambda: torch._C._nn.gelu(small, out=to)), ('silu', lambda: torch._C._nn.silu(small, out=to)), ('tanh', lambda: torch.tanh(small, out=to)),
                ('sigmoid', lambda: torch.sigmoid(small, out=to)), ('exp', lambda: torch.exp(small, out=to))):
    print(f'{name:20} [32768]       {best(f, small.numel(), 50):8.3f} ns')
slope = torch.ones_like(small)
print(f'{"gelu backward":20} [32768]       {best(lambda: torch.ops.aten.gelu_backward(slope, small), small.numel(), 50):8.3f} ns')
for name, f in (('softmax', lambda: torch.softmax(big, 1)), ('layer norm', lambda: torch.nn.functional.layer_norm(big, (128,), torch.ones(128), torch.zeros(128))),
                ('row sums', lambda: big.sum(1)), ('column sums', lambda: big.view(-1, 32)[:81920].sum(0)), ('transposed', lambda: big.view(2048, 2048).t().contiguous())):
    print(f'{name:20} [32768, 128]  {best(f, big.numel() if name != "column sums" else 81920 * 32, 5):8.3f} ns')
