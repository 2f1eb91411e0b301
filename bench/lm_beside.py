#!/usr/bin/env python3
"""Language models beside llama.cpp (llama-cpp-python's low-level calls, built natively): the same GGUF files, threads and tokens, in turns, each turn in a fresh process.

  lm_beside.py MODEL.gguf ... [--rounds 5] [--threads 2] [--text FILE] [--run build/bench/lm_time] [--json FILE]

Time: decoding (128 tokens after a prompt of 16), a prompt of 512, passes of 1 to 64 new tokens behind 128 others with all their logits, start (from before loading to
the first token, model file in the page cache), peak resident memory (of the peer: without what Python held before); llama.cpp with flash attention off and on, its
better one counts. (GCC 12 drops the stores that fill llama.cpp's tile configuration, and its AMX kernels die by
SIGILL: build it with __asm__ volatile("" : : "r"(&tc) : "memory") before _tile_loadconfig(&tc) in ggml-cpu/amx/mmq.cpp, and name the folder of its libraries in
LLAMA_CPP_LIB_PATH, or give --no-extra, which does without AMX and repacked weights.) Bandwidth of reading is measured in every round; decoding's share is (weights + keys and values of a token) over it. Medians over rounds.

--text FILE (its first 100 kB): perplexity by both over the same windows of 256 tokens (llama.cpp's tokenizer; every token but a window's first), and the mean
Kullback-Leibler divergence of nigh's next-token distribution from llama.cpp's, in nats. Beside it llama.cpp's with flash attention on, from its own without: both
programs round what goes into a product to 8 bits, and what divergence that alone makes is seen there.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

DECODE, PROMPT, SHORT, BEFORE, REPEATS, ROWS, WINDOW, TEXT = 128, 512, 16, 128, 5, 64, 256, 100_000
SIZES = [1, 2, 4, 8, 16, 32, 64]


# ---- llama.cpp

class Peer:
    """One model and one context; `flash`: flash attention."""

    def __init__(self, path, threads, flash, extra=True):
        import llama_cpp as L
        self.L = L
        self.quiet = L.llama_log_callback(lambda level, text, data: None)
        L.llama_log_set(self.quiet, ctypes.c_void_p(0))
        self.held = resident_kb()
        self.begun = time.perf_counter()
        L.llama_backend_init()
        model = L.llama_model_default_params()
        model.use_extra_bufts = extra
        model.n_gpu_layers = 0
        self.model = L.llama_model_load_from_file(path.encode(), model)
        self.vocab = L.llama_model_get_vocab(self.model)
        self.tokens = L.llama_vocab_n_tokens(self.vocab)
        context = L.llama_context_default_params()
        context.n_ctx = 1024
        context.n_batch = context.n_ubatch = 512
        context.n_threads = context.n_threads_batch = threads
        context.flash_attn_type = L.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else L.LLAMA_FLASH_ATTN_TYPE_DISABLED
        context.no_perf = True
        self.context = L.llama_init_from_model(self.model, context)
        self.memory = L.llama_get_memory(self.context)
        self.batch = L.llama_batch_init(512, 0, 1)

    def run(self, tokens, position, wanted):
        """wanted: 'last' or 'all'."""
        b = self.batch
        b.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            b.token[i] = token
            b.pos[i] = position + i
            b.n_seq_id[i] = 1
            b.seq_id[i][0] = 0
            b.logits[i] = wanted == 'all' or i + 1 == len(tokens)
        if self.L.llama_decode(self.context, b):
            sys.exit('llama_decode failed')
        self.L.llama_synchronize(self.context)

    def logits(self, i):
        return np.ctypeslib.as_array(self.L.llama_get_logits_ith(self.context, i), (self.tokens,))

    def rows(self, tokens, position):
        """The logits after each of these tokens."""
        self.run(tokens, position, 'all')
        return np.stack([self.logits(i) for i in range(len(tokens))])

    def cut(self, position):
        self.L.llama_memory_seq_rm(self.memory, 0, position, -1)

    def tokenize(self, text):
        room = (ctypes.c_int32 * (len(text) + 16))()
        n = self.L.llama_tokenize(self.vocab, text, len(text), room, len(room), False, False)
        return list(room[:n])

    def begin(self):
        """The token that starts a text, where the model wants one."""
        return [self.L.llama_vocab_bos(self.vocab)] if self.L.llama_vocab_get_add_bos(self.vocab) else []


def resident_kb(name='VmRSS'):
    for line in open('/proc/self/status'):
        if line.startswith(name + ':'):
            return int(line.split()[1])
    return 0


def token_at(i):
    return 1000 + i * 37 % 8000


def some_tokens(first, count):
    return [token_at(first + i) for i in range(count)]


def timed(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def peer_run(path, threads, flash, extra):
    p = Peer(path, threads, flash, extra)
    loaded = time.perf_counter()
    p.run(some_tokens(0, SHORT), 0, 'last')
    token = int(np.argmax(p.logits(-1)))
    now = time.perf_counter()
    out = {'start': now - p.begun, 'load': loaded - p.begun}
    seconds, begin = [], time.perf_counter()
    for i in range(DECODE):
        seconds.append(timed(lambda: p.run([token], SHORT + i, 'last')))
        token = int(np.argmax(p.logits(-1)))
    out['decode_all'] = time.perf_counter() - begin
    out['decode'] = statistics.median(seconds)
    seconds = []
    for _ in range(REPEATS):
        p.cut(0)
        seconds.append(timed(lambda: p.run(some_tokens(0, PROMPT), 0, 'last')))
    out['prompt'] = statistics.median(seconds)
    out['peak_kb'] = resident_kb('VmHWM') - p.held  # before logits of many rows are asked for
    p.cut(0)
    p.run(some_tokens(0, BEFORE), 0, 'last')
    out['passes'] = {}
    for size in SIZES:
        seconds = []
        for _ in range(4 * REPEATS):
            seconds.append(timed(lambda: p.run(some_tokens(0, size), BEFORE, 'all')))
            p.cut(BEFORE)
        out['passes'][str(size)] = statistics.median(seconds)
    print(json.dumps(out))


# ---- turns

def child(command):
    environment = {k: v for k, v in os.environ.items() if k not in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE')}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=False)
    if done.returncode:
        sys.exit(f'{command[0]} failed ({done.returncode})')
    return json.loads(done.stdout.decode().splitlines()[-1])


def time_model(path, given):
    sides = {'nigh': [], 'off': [], 'on': []}
    bandwidth, threads = [], str(given.threads)
    for _ in range(given.rounds):
        bandwidth.append(child([given.run, 'bandwidth', '--threads', threads])['bandwidth'])
        nigh = child([given.run, 'run', path, '--threads', threads, '--decode', str(DECODE), '--prompt', str(PROMPT), '--passes', '0', '--repeats', str(REPEATS)])
        more = child([given.run, 'run', path, '--threads', threads, '--decode', '0', '--prompt', '0', '--passes', str(SIZES[-1]), '--before', str(BEFORE),
                      '--repeats', str(REPEATS)])
        nigh['passes'] = more['passes']
        sides['nigh'].append(nigh)
        for flash in ('off', 'on'):
            sides[flash].append(child([sys.executable, __file__, '--peer', path, '--threads', threads, '--flash', flash] + ['--no-extra'] * given.no_extra))
    return sides, statistics.median(bandwidth)


def middle(rounds, name, size=None):
    return statistics.median(r[name] if size is None else r[name][str(size)] for r in rounds)


def row(what, values, ratio, unit=''):
    print(f'{what:30s} {values[0]:10.3f} {values[1]:10.3f} {values[2]:10.3f} {unit:6s} {ratio:8.3f}')


def table(path, sides, bandwidth):
    """Ratios above 1 mean that nigh is faster or smaller."""
    n, off, on = sides['nigh'], sides['off'], sides['on']
    result = {'model': os.path.basename(path), 'bandwidth': bandwidth}
    print(f'\n{os.path.basename(path)}; reading from memory {bandwidth / 1e9:.1f} GB/s\n{"":30s} {"nigh":>10s} {"fa off":>10s} {"fa on":>10s} {"":6s} {"ratio":>8s}')

    def line(what, name, scale, unit, size=None):
        values = [middle(side, name, size) for side in (n, off, on)]
        ratio = min(values[1:]) / values[0]
        result[what] = {'nigh': values[0], 'off': values[1], 'on': values[2], 'ratio': ratio}
        row(what, [scale * v for v in values], ratio, unit)
        return values
    decode = line('decode, one token', 'decode', 1e3, 'ms')
    everything = line(f'decode, {DECODE} tokens', 'decode_all', 1, 's')
    print(f'{"":30s} ' + ' '.join(f'{DECODE / v:10.1f}' for v in everything) + ' tokens/s')
    line(f'prompt of {PROMPT}', 'prompt', 1e3, 'ms')
    line('start to first token', 'start', 1e3, 'ms')
    line('loading', 'load', 1e3, 'ms')
    line('peak memory', 'peak_kb', 1 / 1024, 'MiB')
    one = min(middle(off, 'passes', 1), middle(on, 'passes', 1))
    for size in SIZES:
        line(f'pass of {size}', 'passes', 1e3, 'ms', size)
    for size in (8, 32):
        slower = max(one, middle(n, 'passes', 1))
        result[f'pass {size} over one'] = middle(n, 'passes', size) / slower
        print(f'pass of {size} over the slower pass of 1: {middle(n, "passes", size) / slower:.2f} (over llama.cpp\'s {middle(n, "passes", size) / one:.2f}; '
              f'llama.cpp itself {min(middle(off, "passes", size), middle(on, "passes", size)) / one:.2f})')
    moved = n[0]['weight_bytes'] + n[0]['kv_bytes'] * (SHORT + DECODE // 2)
    shares = [moved / bandwidth / v for v in decode]
    result['share'] = shares[0]
    print(f'{moved / 1e6:.1f} MB a token; share of the bandwidth: nigh {shares[0]:.3f}, fa off {shares[1]:.3f}, fa on {shares[2]:.3f}')
    return result


# ---- the same distributions

def log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def compare_text(path, given):
    text = open(given.text, 'rb').read()[:TEXT]
    peer, other = (Peer(path, given.threads, flash, not given.no_extra) for flash in (False, True))
    ids, begin = peer.tokenize(text), peer.begin()
    step = WINDOW - len(begin)
    windows = [begin + ids[i:i + step] for i in range(0, len(ids), step)]
    windows = [w for w in windows if len(w) == WINDOW] or windows
    if given.windows:
        windows = windows[:given.windows]
    sums, count, worst, same = np.zeros(4), 0, 0.0, 0
    with tempfile.NamedTemporaryFile() as file:
        np.array([t for w in windows for t in w], np.int32).tofile(file)
        file.flush()
        nigh = subprocess.Popen([given.run, 'logits', path, file.name, str(WINDOW), '--threads', str(given.threads)], stdout=subprocess.PIPE)
        for w in windows:
            peer.cut(0)
            other.cut(0)
            for at in range(0, len(w), ROWS):
                part = w[at:at + ROWS]
                theirs, flashed = (log_softmax(p.rows(part, at)) for p in (peer, other))
                size = 4 * peer.tokens * len(part)
                data = nigh.stdout.read(size)
                if len(data) != size:
                    sys.exit('lm_time gave no more logits')
                ours = log_softmax(np.frombuffer(data, np.float32).reshape(len(part), peer.tokens))
                chances = np.exp(theirs)
                divergence = np.sum(chances * (theirs - ours), axis=1)
                worst = max(worst, float(divergence.max()))
                same += int(np.sum(ours.argmax(axis=1) == theirs.argmax(axis=1)))
                following = w[at + 1:at + 1 + len(part)]
                rows = np.arange(len(following))
                sums += [-ours[rows, following].sum(), -theirs[rows, following].sum(), divergence.sum(), np.sum(chances * (theirs - flashed))]
                count += len(following)
        nigh.stdout.close()
        nigh.wait()
    total = sum(len(w) for w in windows)
    ours, theirs = np.exp(sums[:2] / count)
    result = {'perplexity': ours, 'perplexity_peer': theirs, 'kl': sums[2] / total, 'kl_worst': worst, 'kl_of_peers': sums[3] / total, 'same_first': same / total}
    print(f'{len(windows)} windows of {WINDOW}, {count} tokens: perplexity {ours:.4f}, llama.cpp {theirs:.4f} ({100 * (ours / theirs - 1):+.3f}%); mean KL '
          f'{sums[2] / total:.2e}, largest {worst:.2e} (llama.cpp, flash attention on from off: {sums[3] / total:.2e}); same most likely token {100 * same / total:.2f}%')
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('models', nargs='*')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--text')
    parser.add_argument('--windows', type=int, default=0, help='of the text: at most so many; 0: all')
    parser.add_argument('--run', default='build/bench/lm_time')
    parser.add_argument('--no-extra', action='store_true', help='of llama.cpp')
    parser.add_argument('--json')
    parser.add_argument('--peer', help=argparse.SUPPRESS)
    parser.add_argument('--flash', default='off', help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        return peer_run(given.peer, given.threads, given.flash == 'on', not given.no_extra)
    import llama_cpp
    print(f'llama-cpp-python {llama_cpp.__version__}: {llama_cpp.llama_print_system_info().decode().strip()}\n{given.threads} threads, {given.rounds} rounds')
    results = []
    for path in given.models:
        result = table(path, *time_model(path, given)) if given.rounds else {'model': os.path.basename(path)}
        if given.text:
            result.update(compare_text(path, given))
        results.append(result)
    if given.json:
        with open(given.json, 'w') as file:
            json.dump(results, file, indent=1)
    return None


if __name__ == '__main__':
    main()
