"""Hamming distances at every shift by nigh beside FFT counters in NumPy and SciPy, taking turns: bench/hamming_beside.py BUILD/nigh [ROUNDS] [CASE ...].
The peers count matches symbol by symbol with real transforms of overlapping blocks, sums in the frequency domain, in f32 where that is exact, the best of some
block lengths; and scipy.signal.oaconvolve for each symbol. nigh's seconds are those of choosing and running. With one thread and with two; the
median seconds of both, the median, least and largest ratio peer / nigh. All answers are compared. --cpu in front: seconds of the CPU, for a machine that is
not alone; one thread only."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

THREADS = 0
CPU = sys.argv[1:2] == ['--cpu'] or sys.argv[4:5] == ['--cpu']
if sys.argv[1:2] == ['--cpu']:
    del sys.argv[1]
if len(sys.argv) > 1 and sys.argv[1] == '--peer':  # before NumPy is loaded: its own threads are fixed then
    THREADS = int(sys.argv[2])
    for name in 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS':
        os.environ[name] = str(THREADS)

import numpy  # noqa: E402
import scipy.fft  # noqa: E402
import scipy.signal  # noqa: E402

# n, m, symbols
CASES = {'dna-1e5': (4_000_000, 100_000, 4), 'dna-1e4': (4_000_000, 10_000, 4), 'dna-1e3': (4_000_000, 1_000, 4), 'protein-1e4': (4_000_000, 10_000, 20),
         'bytes-1e5': (1_000_000, 100_000, 200)}


def blocks_count(text, pattern, symbols, block, dtype):
    """Overlap-save; all blocks of one symbol in one batch of real transforms."""
    m, shifts = len(pattern), len(text) - len(pattern) + 1
    step = block - m + 1
    count = -(-shifts // step)
    padded = numpy.full((count - 1) * step + block, 255, numpy.uint8)
    padded[:len(text)] = text[:len(padded)]
    windows = numpy.lib.stride_tricks.as_strided(padded, (count, block), (step, 1))
    total = None
    for a in range(symbols):
        rows = scipy.fft.rfft((windows == a).astype(dtype), axis=1, workers=THREADS, overwrite_x=True)
        rows *= numpy.conj(scipy.fft.rfft((pattern == a).astype(dtype), block))
        total = rows if total is None else numpy.add(total, rows, out=total)
    matches = scipy.fft.irfft(total, block, axis=1, workers=THREADS, overwrite_x=True)[:, :step]
    return m - numpy.rint(matches).astype(numpy.int64).ravel()[:shifts]


def oaconvolve_count(text, pattern, symbols):
    matches = 0
    for a in range(symbols):
        matches = matches + scipy.signal.oaconvolve((text == a).astype(numpy.float64), (pattern == a).astype(numpy.float64)[::-1], 'valid')
    return len(pattern) - numpy.rint(matches).astype(numpy.int64)


def peers(m, symbols):
    found = {}
    for factor in (2, 4, 8):
        for dtype in ('f4', 'f8'):
            found['blocks of %d m, %s' % (factor, dtype)] = lambda t, p, f=factor, d=dtype: blocks_count(t, p, symbols, scipy.fft.next_fast_len(f * m, True), d)
    found['oaconvolve'] = lambda t, p: oaconvolve_count(t, p, symbols)
    return found


def load(folder, name):
    return [numpy.fromfile(os.path.join(folder, name + end), numpy.uint8) for end in ('.text', '.pattern')]


def serve_peer(folder):
    """A line is a case; the answer its seconds. The first time all ways are tried, the best exact one is kept."""
    chosen = {}
    for line in sys.stdin:
        name = line.strip()
        n, m, symbols = CASES[name]
        text, pattern = load(folder, name)
        exact = numpy.fromfile(os.path.join(folder, name + '.exact'), numpy.uint32)
        if name not in chosen:
            best = None
            for way, count in peers(m, symbols).items():
                began = time.perf_counter()
                right = numpy.array_equal(count(text, pattern), exact)
                seconds = time.perf_counter() - began
                if right and (best is None or seconds < best[0]):
                    best = seconds, way, count
            chosen[name] = best[1:]
        way, count = chosen[name]
        began, cpu = time.perf_counter(), time.process_time()
        count(text, pattern)
        print(time.process_time() - cpu if CPU else time.perf_counter() - began, way, flush=True)


def nigh(command, folder, name, threads, out=None):
    words = [command, 'reduce', 'distances', os.path.join(folder, name + '.text'), os.path.join(folder, name + '.pattern'), '--json', '--quiet', '--threads', str(threads)]
    clean = {k: v for k, v in os.environ.items() if k not in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE')}
    done = json.loads(subprocess.run(words + (['-o', out] if out else []), capture_output=True, text=True, check=True, env=clean).stdout)
    return done['cpu'] if CPU else done['seconds'] + done['planning'], done['variant']


def main():
    command, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    names = sys.argv[3:] or list(CASES)
    generator = numpy.random.default_rng(1)
    print('%-12s %7s %10s %10s %8s   %-16s %s' % ('case', 'threads', 'nigh s', 'peer s', 'ratio', 'range', 'ways'))
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            n, m, symbols = CASES[name]
            for end, size in (('.text', n), ('.pattern', m)):
                generator.integers(0, symbols, size, dtype=numpy.uint8).tofile(os.path.join(folder, name + end))
            out = os.path.join(folder, 'out.npy')
            nigh(command, folder, name, 2, out)
            numpy.load(out).tofile(os.path.join(folder, name + '.exact'))
        for threads in (1,) if CPU else (1, 2):
            peer = subprocess.Popen([sys.executable, os.path.abspath(__file__), '--peer', str(threads), folder] + ['--cpu'] * CPU, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for name in names:
                pairs = []
                for _ in range(rounds):
                    mine, variant = nigh(command, folder, name, threads)
                    peer.stdin.write(name + '\n')
                    peer.stdin.flush()
                    other, way = peer.stdout.readline().split(' ', 1)
                    pairs.append((mine, float(other)))
                ratios = [b / a for a, b in pairs]
                print('%-12s %7d %10.4f %10.4f %8.1f   %5.1f .. %-7.1f %s / %s' % (name, threads, statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
                                                                             statistics.median(ratios), min(ratios), max(ratios), variant, way.strip()), flush=True)
            peer.stdin.close()
            peer.wait()


if THREADS:
    serve_peer(sys.argv[3])
else:
    main()
