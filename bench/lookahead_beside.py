#!/usr/bin/env python3
"""Drafts that change no token beside llama.cpp: plain decoding and prompt lookup (llama-cpp-python's LlamaPromptLookupDecoding over its low-level calls).

  lookahead_beside.py MODEL.gguf ... [--rounds 3] [--prompts 24] [--most 64] [--threads 2] [--data FOLDER] [--run build/bench/lookahead_time] [--json FILE]

Prompts in the style of retrieval: 300 to 800 tokens of Shakespeare or of short programs (text/tinyshakespeare.txt and code/mbpp.jsonl in the folder, default
NIGH_DATA), then the request to repeat, to quote or to answer from them. All greedy, the same tokens in, in turns, each turn in a fresh process; seconds are those after the
prompt. Prompt lookup runs with 2, 5 and 10 drafts, the best counts. Tokens a pass, tokens a second (medians over rounds of the sum over prompts), and which
answers differ from plain decoding of the same program.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time

import numpy as np

import lm_beside

HERE = os.path.dirname(os.path.abspath(__file__))


# ---- prompts

def pieces(folder):
    """Texts that are cut from: each a list of lines."""
    play = open(os.path.join(folder, 'text', 'tinyshakespeare.txt'), encoding='utf-8').read().split('\n')
    programs = []
    for row in open(os.path.join(folder, 'code', 'mbpp.jsonl'), encoding='utf-8'):
        row = json.loads(row)
        programs += ['# ' + row['text']] + row['code'].replace('\r', '').replace('\t', '    ').split('\n') + ['']
    return [play, programs]


def make_prompt(rng, lines, peer):
    start = rng.randrange(len(lines) - 400)
    size = rng.randrange(300, 800)
    text, count = '', 0
    for line in lines[start:start + 400]:
        text += line + '\n'
        count = len(peer.tokenize(text.encode()))
        if count >= size:
            break
    kept = [line for line in text.split('\n') if len(line) > 12]
    chosen = rng.randrange(max(1, len(kept) // 2)) if rng.random() < 0.6 else 0
    ask = rng.choice(['\n\nThe same again, word for word:\n', '\n\nRepeat the text above.\n', '\n\nQuote the passage that begins with these words.\n',
                      '\n\nQuestion: what does the text say there? Answer, in its own words:\n'])
    return peer.begin() + peer.tokenize((text + ask + kept[chosen]).encode())


# ---- llama.cpp

def peer_answers(path, threads, flash, drafts, most, prompts):
    from llama_cpp.llama_speculative import LlamaPromptLookupDecoding
    p = lm_beside.Peer(path, threads, flash)
    lookup = LlamaPromptLookupDecoding(num_pred_tokens=drafts) if drafts else None
    for which, prompt in enumerate(prompts):
        p.cut(0)
        p.run(prompt[:512], 0, 'last')
        if len(prompt) > 512:
            p.run(prompt[512:], 512, 'last')
        tokens, passes, drafted = list(prompt) + [int(np.argmax(p.logits(-1)))], 0, 0
        begin = time.perf_counter()
        while len(tokens) - len(prompt) < most:
            guess = [int(t) for t in lookup(np.array(tokens, dtype=np.intc))] if lookup else []
            guess = guess[:most - (len(tokens) - len(prompt)) - 1]
            p.run(tokens[-1:] + guess, len(tokens) - 1, 'all')
            passes, drafted = passes + 1, drafted + len(guess)
            for i in range(len(guess) + 1):
                tokens.append(int(np.argmax(p.logits(i))))
                if i == len(guess) or tokens[-1] != guess[i]:
                    break
            p.cut(len(tokens) - 1)
        print(json.dumps({'time': 0, 'prompt': which, 'seconds': time.perf_counter() - begin, 'passes': passes, 'drafted': drafted, 'tokens': tokens[len(prompt):]}))


# ---- in turns

def run(command, prompts):
    out = subprocess.run(command, input='\n'.join(' '.join(map(str, p)) for p in prompts) + '\n', capture_output=True, text=True)
    if out.returncode:
        sys.exit(out.stderr or ' '.join(command) + ' failed')
    return [json.loads(line) for line in out.stdout.splitlines()]


def totals(rows, time_of):
    rows = [r for r in rows if r['time'] == time_of]
    tokens = sum(len(r['tokens']) - 1 for r in rows)
    return {'rate': tokens / sum(r['seconds'] for r in rows), 'edl': tokens / sum(r['passes'] for r in rows), 'answers': [r['tokens'] for r in rows]}


def one_model(path, args):
    peer = lm_beside.Peer(path, 1, False, vocabulary_only=True)
    rng = random.Random(args.seed)
    texts = pieces(args.data)
    prompts = [make_prompt(rng, texts[i % 2], peer) for i in range(args.prompts)]
    ways = {}
    for flash in (0, 1):
        for drafts in (0, 2, 5, 10):
            name = f'llama.cpp {"lookup " + str(drafts) if drafts else "plain"}{", flash" if flash else ""}'
            ways[name] = ([sys.executable, __file__, '--peer', path, str(args.threads), str(flash), str(drafts), str(args.most)], 0)
    for mode in ('plain', 'drafts', 'one'):
        ways[f'nigh {mode}'] = ([args.run, path, mode, '--threads', str(args.threads), '--most', str(args.most), '--times', '1' if mode == 'plain' else '2'], 0)
    seen = {}
    for round_number in range(args.rounds):
        for name in sorted(ways, key=lambda n: (hash((n, round_number)), n)) if round_number else ways:
            rows = run(ways[name][0], prompts)
            for again in sorted({r['time'] for r in rows}):
                seen.setdefault(name + (', warm' if again else ''), []).append(totals(rows, again))
    rates = {name: statistics.median(t['rate'] for t in all_rounds) for name, all_rounds in seen.items()}
    base = {who: max(r for n, r in rates.items() if n.startswith(who + ' plain')) for who in ('llama.cpp', 'nigh')}
    print(f'{os.path.basename(path)}: {args.prompts} prompts of {min(map(len, prompts))} to {max(map(len, prompts))} tokens, {args.most} tokens each, {args.threads} threads, {args.rounds} rounds')
    print(f'{"":32}{"tokens/s":>10}{"over own":>10}{"over its":>10}{"tokens":>9}{"same":>7}')
    print(f'{"":32}{"":>10}{"plain":>10}{"plain":>10}{"a pass":>9}{"":>7}')
    for name, rate in rates.items():
        who = name.split()[0]
        plain = seen[next(n for n in seen if n.startswith(who + ' plain') and ('flash' in n) == ('flash' in name))][0]['answers']
        same = sum(a == b for a, b in zip(seen[name][0]['answers'], plain))
        print(f'{name:32}{rate:10.1f}{rate / base[who]:10.2f}{rate / base["llama.cpp"]:10.2f}{seen[name][0]["edl"]:9.2f}{same:4}/{len(plain)}')
    return {'model': os.path.basename(path), 'rates': rates, 'edl': {n: s[0]['edl'] for n, s in seen.items()}}


def main():
    if sys.argv[1:2] == ['--peer']:
        path, threads, flash, drafts, most = sys.argv[2], *map(int, sys.argv[3:7])
        return peer_answers(path, threads, flash, drafts, most, [[int(t) for t in line.split()] for line in sys.stdin])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('models', nargs='+')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--prompts', type=int, default=24)
    parser.add_argument('--most', type=int, default=64)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--data', default=os.environ.get('NIGH_DATA', ''))
    parser.add_argument('--run', default=os.path.join(HERE, '..', 'build', 'bench', 'lookahead_time'))
    parser.add_argument('--json')
    args = parser.parse_args()
    results = [one_model(path, args) for path in args.models]
    if args.json:
        with open(args.json, 'w') as out:
            json.dump(results, out, indent=1)


if __name__ == '__main__':
    main()
