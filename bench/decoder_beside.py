#!/usr/bin/env python3
"""Training steps of nigh's decoder beside PyTorch's (eager and compiled): one process each, in turn, so that all see the same machine.

    python bench/decoder_beside.py build/bench/train_decoder TEXT [rounds=15 n=5 threads=2 modes=eager,compile PROGRAM'S OPTIONS]

Losses of the first 50 steps are compared; then each round gives every program n steps. Printed: milliseconds a step (wall and CPU; median and least), tokens a second,
and the median over rounds of the others' time by nigh's. CPU seconds with threads=1 mean something on a busy machine, too.
"""
import statistics
import subprocess
import sys
import tempfile

program, text = sys.argv[1:3]
options = dict(a.split("=", 1) for a in sys.argv[3:])
rounds, n, threads = (int(options.pop(k, v)) for k, v in (("rounds", 15), ("n", 5), ("threads", 2)))
modes = options.pop("modes", "eager,compile").split(",")
folder = tempfile.mkdtemp()
weights, batches = f"{folder}/w.safetensors", f"{folder}/b.i32"
shape = [f"{k}={v}" for k, v in options.items()]
common = [f"threads={threads}", "steps=50"]
commands = {"nigh": [program, f"text={text}", f"save={weights}", f"batches={batches}", "go=1", *common, *shape]}
for mode in modes:
    commands[mode] = [sys.executable, sys.argv[0].replace("decoder_beside", "torch_decoder"), weights, batches, f"mode={mode}", *common, *shape]

running, losses = {}, {}
for name, command in commands.items():
    p = running[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    losses[name] = [float(p.stdout.readline().split()[1]) for _ in range(50)]
for name in modes:
    print(f"{name}: losses of the first 50 steps differ from nigh's by at most {max(abs(a - b) for a, b in zip(losses['nigh'], losses[name])):.2e}")

wall, cpu = {k: [] for k in running}, {k: [] for k in running}
for i in range(rounds + 1):
    for name, p in running.items():
        p.stdin.write(f"go {n}\n")
        p.stdin.flush()
        seconds, busy, _ = map(float, p.stdout.readline().split())
        if i:  # the first round warms up
            wall[name].append(seconds / n)
            cpu[name].append(busy / n)
for p in running.values():
    p.stdin.close()
    p.wait()
tokens = int(options.get("batch", 16)) * int(options.get("context", 128))
for name in running:
    w, c = wall[name], cpu[name]
    ratio = [statistics.median(a / b for a, b in zip(x[name], x["nigh"])) for x in (wall, cpu)]
    print(f"{name:8} wall {statistics.median(w) * 1e3:7.2f} (least {min(w) * 1e3:7.2f}) ms  cpu {statistics.median(c) * 1e3:7.2f} (least {min(c) * 1e3:7.2f}) ms  "
          f"{tokens / statistics.median(w):8.0f} tokens/s (best {tokens / min(w):8.0f})  by nigh's: wall {ratio[0]:.2f} cpu {ratio[1]:.2f} least {min(w) / min(wall['nigh']):.2f}")
