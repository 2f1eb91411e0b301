"""nigh beside PyTorch on fields, processes in turn: medians and ranges of the ratios of times, and memory.

  fields_beside.py BUILD PYTHON [rounds=3] [key=value ...]     BUILD: folder with bench/train_fields; keys: those of torch_fno.py

With unet=1 the U-Net, with lsm=1 the latent spectral model, with mgno=LEVELS the multigrid neural operator. Times by the clock and in CPU seconds (which other work on the machine disturbs less); PyTorch as it comes and, with compile=1, compiled too.
"""
import os
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
build, python, words = sys.argv[1], sys.argv[2], sys.argv[3:]
rounds = next((int(w.split('=')[1]) for w in words if w.startswith('rounds=')), 3)
words = [w for w in words if not w.startswith('rounds=')]
unet = 'unet=1' in words
lsm = 'lsm=1' in words
mgno = any(w.startswith('mgno=') for w in words)
compiled = 'compile=1' in words
for name in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE'):
    os.environ.pop(name, None)


def run(command):
    """Medians by the clock and in CPU seconds, resident megabytes before and at most."""
    lines = [line.split() for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()]
    seconds = [(float(l[1]), float(l[2])) for l in lines if l[0] == 'seconds']
    idle, most = next((float(l[1]), float(l[2])) for l in lines if l[0] == 'rss')
    return statistics.median(s[0] for s in seconds), statistics.median(s[1] for s in seconds), idle, most


plain = [w for w in words if w.split('=')[0] not in ('unet', 'lsm', 'compile', 'micro', 'last')]
script = os.path.join(here, 'torch_mgno.py' if mgno else 'torch_lsm.py' if lsm else 'torch_unet.py' if unet else 'torch_fno.py')
forms = {'eager': []}
if unet or lsm or mgno:
    forms['eager channels-last'] = ['last=1']
if compiled:
    forms['compiled'] = ['compile=1']
for what in ('step', 'apply'):
    ours, theirs = [], {name: [] for name in forms}
    for _ in range(rounds):
        for name, extra in forms.items():
            theirs[name].append(run([python, script, what] + plain + extra))
            ours.append(run([os.path.join(build, 'bench', 'train_fields'), what] + [w for w in words if w.split('=')[0] not in ('compile', 'last')]))
    mine = [statistics.median(r[k] for r in ours) for k in range(4)]
    print(f'{what}: nigh {1e3 * mine[0]:.2f} ms, {1e3 * mine[1]:.2f} ms of CPU, {mine[3] - mine[2]:.0f} MB above {mine[2]:.0f}')
    for i, (name, rows) in enumerate(theirs.items()):
        beside = ours[i::len(forms)]
        for k, unit in ((0, 'clock'), (1, 'CPU')):
            ratios = [t[k] / o[k] for t, o in zip(rows, beside)]
            print(f'  {name}, {unit}: {1e3 * statistics.median(t[k] for t in rows):.2f} ms, {statistics.median(ratios):.2f} times ({min(ratios):.2f} .. {max(ratios):.2f})')
        more = statistics.median(t[3] - t[2] for t in rows)
        print(f'  {name}, memory: {more:.0f} MB above {rows[0][2]:.0f}; nigh {(mine[3] - mine[2]) / more:.2f} of it, {mine[3] / statistics.median(t[3] for t in rows):.2f} of all')
