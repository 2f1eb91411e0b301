"""Attention of nigh beside PyTorch's, taking turns in one run: bench/attention_beside.py BUILD/bench/attention [ROUNDS]. For each case the least time
of each over all rounds, and of the ratio of the two the median over rounds, least and largest. THREADS as in bench/attention.c; CASES: these alone."""
import os
import statistics
import subprocess
import sys

import torch

import torch_attention


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    torch.set_num_threads(int(os.environ.get('THREADS', '2')))
    child = subprocess.Popen([sys.argv[1], '--serve'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env=dict(os.environ, OMP_WAIT_POLICY='passive'))
    print('%-14s %10s %10s %7s   %s' % ('case', 'nigh ms', 'torch ms', 'ratio', '(least, largest)   forward; forward + backward where there is one'))
    chosen = os.environ.get('CASES', '').split() or list(torch_attention.CASES)
    for name, case in ((name, torch_attention.CASES[name]) for name in chosen):
        pairs = []
        for _ in range(rounds):
            child.stdin.write(name + '\n')
            child.stdin.flush()
            mine = [float(x) for x in child.stdout.readline().split()[1:]]
            pairs.append((mine, torch_attention.measure(name)))
        for total in (0, 1) if case[6] else (0,):
            times = [(a[0] + total * a[1], b[0] + total * b[1]) for a, b in pairs]
            ratios = sorted(b / a for a, b in times)
            print('%-14s %10.3f %10.3f %7.2f   (%.2f, %.2f)' % (name + ('+' if total else ''), min(a for a, _ in times), min(b for _, b in times),
                                                                statistics.median(ratios), ratios[0], ratios[-1]), flush=True)
    child.stdin.close()
    child.wait()


if __name__ == '__main__':
    main()
