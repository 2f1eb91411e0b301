"""Training and applying multilayer perceptrons with nigh beside PyTorch, two processes taking turns: bench/train_beside.py BUILD/bench/train_mlp [ROUNDS] [CASE ...].
For each case the median seconds of both and the median, least and largest ratio PyTorch / nigh over the rounds. `stacked-N`: beside many-N of nigh."""
import os
import statistics
import subprocess
import sys

CASES = ['step', 'epoch', 'apply', 'apply-1', 'many-32', 'many-100', 'many-1000', 'stacked-32', 'stacked-100', 'stacked-1000']


def serve(command):
    clean = {k: v for k, v in os.environ.items() if k not in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE')}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean)


def ask(child, name):
    child.stdin.write(name + '\n')
    child.stdin.flush()
    words = child.stdout.readline().split(None, 2)
    return float(words[1]), words[2].strip() if len(words) > 2 else ''


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    here = os.path.dirname(os.path.abspath(__file__))
    mine, other = serve([sys.argv[1], '--serve']), serve([sys.executable, os.path.join(here, 'torch_mlp.py'), '--serve'])
    print('%-12s %12s %12s %8s   %-16s %s' % ('case', 'nigh s', 'torch s', 'ratio', 'range', 'fastest of PyTorch'))
    for name in sys.argv[3:] or CASES:
        pairs = [(ask(mine, name.replace('stacked', 'many'))[0], *ask(other, name)) for _ in range(rounds)]
        ratios = [b / a for a, b, _ in pairs]
        print('%-12s %12.6f %12.6f %8.2f   %.2f .. %-8.2f %s' % (name, statistics.median(a for a, _, _ in pairs), statistics.median(b for _, b, _ in pairs),
                                                                statistics.median(ratios), min(ratios), max(ratios), pairs[-1][2]), flush=True)
    for child in mine, other:
        child.stdin.close()
        child.wait()


if __name__ == '__main__':
    main()
