#!/usr/bin/env python3
"""Masks of constraints beside PyPI llguidance, on the vocabulary of a GGUF file: seconds to compile, seconds for a mask, equality of the masks.

    constraint_beside.py MODEL.gguf [--library build/libnigh.so] [--walks 20] [--rounds 3]

Both take turns on the same random walks: at each step both give their mask, the masks are compared, and a token that both allow is chosen. nigh's masks are
timed twice: as they come (states met before are looked up), and cold (a new constraint and a new cache for each walk). One thread. Regular expressions and
JSON schemas with the same blanks must agree; every difference is counted and the first ones are shown; where the grammar forces the next bytes (names of properties), llguidance allows only the tokens of
one way to spell them, nigh all that spell a beginning of them. Exit 1: regular expressions differ.
"""
import argparse
import ctypes
import json
import random
import statistics
import sys
import time

import llguidance
import llguidance.numpy
import numpy

BIG = {'type': 'object', 'properties': {}, 'required': ['id', 'field_3'], 'additionalProperties': False}
BIG['properties']['id'] = {'type': 'integer'}
for i in range(100):
    BIG['properties']['field_%d' % i] = [{'type': 'string'}, {'type': 'integer'}, {'enum': ['red', 'green', 'blue']}, {'type': 'array', 'items': {'type': 'number'}},
                                         {'type': 'object', 'properties': {'a': {'type': 'boolean'}, 'b': {'type': ['null', 'string']}}, 'required': ['a'],
                                          'additionalProperties': False}][i % 5]
PERSON = {'type': 'object', 'properties': {'name': {'type': 'string'}, 'age': {'type': 'integer', 'minimum': 0, 'maximum': 150}, 'email': {'type': 'string'}},
          'required': ['name', 'age', 'email'], 'additionalProperties': False}
TREE = {'$defs': {'node': {'type': 'object', 'properties': {'value': {'type': 'integer'}, 'children': {'type': 'array', 'items': {'$ref': '#/$defs/node'}}},
                           'required': ['value', 'children'], 'additionalProperties': False}}, '$ref': '#/$defs/node'}
CASES = [('date', 'regex', r'[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'),
         ('ipv4', 'regex', r'((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'),
         ('words', 'regex', r'([A-Z][a-z]+ ){2,8}[^\n"]{3,40}\.'),
         ('counted text', 'schema', {'type': 'string', 'minLength': 1, 'maxLength': 100}), ('three fields', 'schema', PERSON), ('tree', 'schema', TREE), ('hundred fields', 'schema', BIG)]


# ---- nigh ----------------------------------------------------------------------------------------------------------

class Nigh:
    def __init__(self, library, model):
        self.lib = n = ctypes.CDLL(library)
        n.nigh_message.restype = ctypes.c_char_p
        for name in 'nigh_constraint_start', 'nigh_masks_step':
            getattr(n, name).restype = ctypes.c_int64
        n.nigh_token_bytes.restype = ctypes.POINTER(ctypes.c_char)
        n.nigh_token_ends.restype = ctypes.c_bool
        self.ctx, file, self.tokenizer = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        n.nigh_context_new(ctypes.byref(self.ctx))
        self.check(n.nigh_gguf_open(self.ctx, model.encode(), ctypes.byref(file)))
        self.check(n.nigh_tokenizer_from_gguf(self.ctx, file, ctypes.byref(self.tokenizer)))
        n.nigh_gguf_close(file)
        self.count = n.nigh_tokenizer_vocabulary(self.tokenizer)
        self.words = (self.count + 63) // 64
        self.tokens, self.ends = [], []
        for i in range(self.count):
            size = ctypes.c_size_t()
            at = n.nigh_token_bytes(self.tokenizer, i, ctypes.byref(size))
            text = n.nigh_token_kind_of(self.tokenizer, i) == 0
            self.tokens.append(at[:size.value] if text and size.value else None)
            if n.nigh_token_ends(self.tokenizer, i):
                self.ends.append(i)

        first = {}
        self.twice = {k for i, t in enumerate(self.tokens) if t for k in ((i, first[t]) if first.setdefault(t, i) != i else ())}

    def check(self, status):
        if status:
            raise SystemExit('nigh: ' + self.lib.nigh_message(self.ctx).decode())

    def compile(self, kind, what):
        c = ctypes.c_void_p()
        if kind == 'regex':
            self.check(self.lib.nigh_constraint_regex(self.ctx, what.encode(), ctypes.c_int64(0), ctypes.byref(c)))
        else:
            text = json.dumps(what).encode()
            self.check(self.lib.nigh_constraint_json_schema(self.ctx, text, ctypes.c_size_t(len(text)), ctypes.c_bool(True), ctypes.byref(c)))
        return c

    def masks(self, constraint):
        masks = ctypes.c_void_p()
        self.check(self.lib.nigh_masks_new(self.ctx, constraint, self.tokenizer, ctypes.c_size_t(0), ctypes.byref(masks)))
        return masks

    def start(self, constraint):
        return self.lib.nigh_constraint_start(constraint)

    def mask(self, masks, state):
        bits = ctypes.POINTER(ctypes.c_uint64)()
        before = time.perf_counter()
        status = self.lib.nigh_masks_get(masks, ctypes.c_int64(state), ctypes.byref(bits))
        seconds = time.perf_counter() - before
        self.check(status)
        return numpy.ctypeslib.as_array(bits, (self.words,)).view(numpy.int32).copy(), seconds

    def step(self, masks, state, token):
        return self.lib.nigh_masks_step(masks, ctypes.c_int64(state), ctypes.c_int32(token))


# ---- llguidance ----------------------------------------------------------------------------------------------------

class Vocabulary:
    """What llguidance asks of a tokenizer; texts are cut byte by byte, which only matters for tokens forced by the grammar."""

    def __init__(self, nigh):
        self.eos_token_id, self.bos_token_id = nigh.ends[0], None
        self.tokens = [t if t else b'<%d>' % i for i, t in enumerate(nigh.tokens)]
        self.special_token_ids = [i for i, t in enumerate(nigh.tokens) if not t]
        self.single = {t: i for i, t in enumerate(nigh.tokens) if t and len(t) == 1}

    def __call__(self, text):
        return [self.single.get(bytes([b]), 0) for b in text]


def grammar_of(kind, what):
    if kind == 'regex':
        return llguidance.LLMatcher.grammar_from_regex(what)
    return llguidance.LLMatcher.grammar_from_json_schema(json.dumps({**what, 'x-guidance': {'whitespace_flexible': False, 'item_separator': ',', 'key_separator': ':'}}))


# ---- both ----------------------------------------------------------------------------------------------------------

def walk(nigh, masks, constraint, tokenizer, grammar, rng, out, most=60):
    matcher = llguidance.LLMatcher(tokenizer, grammar)
    if matcher.get_error():
        raise SystemExit('llguidance: ' + matcher.get_error())
    buffer = llguidance.numpy.allocate_token_bitmask(1, tokenizer.vocab_size)
    state = nigh.start(constraint)
    text = b''
    for _ in range(most):
        mine, seconds = nigh.mask(masks, state)
        before = time.perf_counter()
        llguidance.numpy.fill_next_token_bitmask(matcher, buffer)
        out['theirs'].append(time.perf_counter() - before)
        out['mine'].append(seconds)
        theirs = buffer[0]
        a, b = numpy.unpackbits(mine.view(numpy.uint8), bitorder='little')[:nigh.count], numpy.unpackbits(theirs.view(numpy.uint8), bitorder='little')[:nigh.count]
        for i in range(nigh.count) if len(a) != len(b) else numpy.flatnonzero(a != b):
            if i in nigh.ends:
                continue  # only one end token is told to llguidance
            if i in nigh.twice:
                continue  # of tokens with the same bytes it allows one
            out['differ'] += 1
            out['missing'] += not a[i]
            if len(out['shown']) < 3:
                out['shown'].append((text[-30:], nigh.tokens[i], 'nigh' if a[i] else 'llguidance'))
        open_ = numpy.flatnonzero(a & b)
        open_ = [i for i in open_ if i not in nigh.ends] if len(open_) < 1000 else open_
        if len(open_) == 0:
            break
        token = int(open_[rng.randrange(len(open_))])
        if token in nigh.ends:
            continue
        state = nigh.step(masks, state, token)
        if not matcher.consume_token(token) or state < 0:
            out['differ'] += 1
            break
        text += nigh.tokens[token]


def figures(seconds):
    ordered = sorted(seconds)
    return 'median %8.1f  mean %8.1f  p99 %8.1f us' % (1e6 * statistics.median(ordered), 1e6 * statistics.mean(ordered), 1e6 * ordered[int(0.99 * (len(ordered) - 1))])


def compile_seconds(make, rounds):
    best = []
    for _ in range(rounds):
        before = time.perf_counter()
        keep = make()
        best.append(time.perf_counter() - before)
        del keep
    return 1e3 * min(best)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('model')
    parser.add_argument('--library', default='build/libnigh.so')
    parser.add_argument('--walks', type=int, default=20)
    parser.add_argument('--rounds', type=int, default=3)
    options = parser.parse_args()
    nigh = Nigh(options.library, options.model)
    before = time.perf_counter()
    tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Vocabulary(nigh)), n_vocab=nigh.count, eos_token=nigh.ends[0])
    their_trie = time.perf_counter() - before
    c = nigh.compile('regex', 'a')
    before = time.perf_counter()
    first = nigh.masks(c)  # holds the trie for all that follow
    print('%d tokens; trie: nigh %.1f ms, llguidance %.1f ms' % (nigh.count, 1e3 * (time.perf_counter() - before), 1e3 * their_trie))
    failed = False
    for name, kind, what in CASES:
        grammar = grammar_of(kind, what)
        mine = compile_seconds(lambda: nigh.lib.nigh_constraint_free(nigh.compile(kind, what)), options.rounds)
        theirs = compile_seconds(lambda: llguidance.LLMatcher(tokenizer, grammar), options.rounds)
        print('%s\n  compile       nigh %.2f ms, llguidance %.2f ms' % (name, mine, theirs))
        warm = {'mine': [], 'theirs': [], 'differ': 0, 'missing': 0, 'shown': []}
        cold = {'mine': [], 'theirs': [], 'differ': 0, 'missing': 0, 'shown': []}
        constraint = nigh.compile(kind, what)
        masks = nigh.masks(constraint)
        for seed in range(options.walks):
            fresh = nigh.compile(kind, what)
            fresh_masks = nigh.masks(fresh)
            walk(nigh, fresh_masks, fresh, tokenizer, grammar, random.Random(seed), cold)
            nigh.lib.nigh_masks_free(fresh_masks)
            nigh.lib.nigh_constraint_free(fresh)
            walk(nigh, masks, constraint, tokenizer, grammar, random.Random(seed), warm)
        nigh.lib.nigh_masks_free(masks)
        nigh.lib.nigh_constraint_free(constraint)
        print('  mask          nigh        %s (%d masks)\n                nigh, cold  %s\n                llguidance  %s' %
              (figures(warm['mine']), len(warm['mine']), figures(cold['mine']), figures(cold['theirs'] + warm['theirs'])))
        differ = warm['differ'] + cold['differ']
        print('  tokens that differ: %d, of which llguidance alone allows %d%s' % (differ, warm['missing'] + cold['missing'], ''.join('\n    after %r token %r: only %s allows it' % d for d in cold['shown'])))
        failed |= kind == 'regex' and differ > 0
    nigh.lib.nigh_masks_free(first)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
