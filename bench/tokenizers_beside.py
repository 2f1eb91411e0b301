#!/usr/bin/env python3
"""Tokenizers beside the reference programs: identical ids and identical bytes given back, or every difference is shown.

    tokenizers_beside.py [--models FOLDER] [--tool build/bench/tokens_time] [--generated 10000] [--nasty 1000] [--pre NAME,NAME|all]
    tokenizers_beside.py --time

GGUF files of the folder go through llama.cpp (PyPI llama-cpp-python), tokenizer.json files trained here through PyPI tokenizers. --pre writes copies of a
byte-level BPE file under other names of pre-tokenizers, to compare all of them on the same vocabulary. --time: seconds to load and MB/s of both.
Exit 1: something differs.
"""
import argparse
import ctypes
import glob
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# ---- texts ----------------------------------------------------------------------------------------------------------

PIECES = {
    'english': "The quick brown fox jumps over the lazy dog. It's we'll they've I'm you'd DON'T shan't O'Neill 'tis rock'n'roll naïve café".split(' '),
    'german': 'Grüße aus München, Straße Äpfel über größtmöglich Donaudampfschifffahrtsgesellschaft ſchön'.split(' '),
    'russian': 'Съешь же ещё этих мягких французских булок, да выпей чаю'.split(' '),
    'greek': 'Ξεσκεπάζω την ψυχοφθόρα βδελυγμία ΌΣΟ ἀρχῇ ἦν ὁ λόγος'.split(' '),
    'chinese': ['我们', '今天', '去', '北京', '吃饭', '。', '，', '龥龦', '「引用」', '12月', '《书》'],
    'japanese': ['こんにちは', '世界', 'カタカナ', 'ー', '・', '々', 'ﾊﾝｶｸ', '食べる', '、'],
    'korean': ['안녕하세요', '세계', '한글', 'ㄱㅏ', '각'],
    'arabic': ['مرحبا', 'بالعالم', '،', '۔', '١٢٣', 'ـــ', 'لُغَةٌ'],
    'hebrew': ['שָׁלוֹם', 'עולם', '״', 'א׳'],
    'hindi': ['नमस्ते', 'दुनिया', '।', '१२३', 'क्षत्रिय', 'ज़'],
    'thai': ['สวัสดี', 'ชาวโลก', 'น้ำ', '๑๒๓'],
    'tamil': ['வணக்கம்', 'உலகம்'],
    'code': ['def f(x):', '\n    return', ' x**2', ' //', ' /*', '*/', ' !=', ' ==', '->', ' {', '}\n', ');\n', '\t\tif', '#include <stdio.h>', '"a\\n"',
             "'\\''", '0x1F', ' 1e-9', ' a_b', ' camelCase', 'HTTPServer', '<div class="x">', '</div>', '&amp;', '$var', '@x', '~', '`', '^', '|'],
    'emoji': ['😀', '👩‍👩‍👧‍👦', '👍🏽', '🇩🇪', '🏳️‍🌈', '❤️', '✈︎', '🫠', '🧑🏿‍🚀', '☺', '1️⃣'],
    'marks': ['é', 'ô̧̞', 'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L', 'a\u0301', '\u0301', 'ﬁ', 'Å', 'ﷺ', '\u0345', 'ᾳ'],
    'digits': ['0', '12', '345', '6789', '1234567890', '3.14159', '1,000,000', '½', '²³', 'Ⅷ', '٣', '１２', '①', '𝟙𝟚', '৪'],
    'blanks': [' ', '  ', '   ', '\n', '\n\n', '\r\n', '\t', ' \n', '\n ', '\u00a0', '\u2003', '\u3000', '\u200b', '\u2028', '\u2029', '\u0085', '\u180e', '\x0b',
               '\x0c', '\u1680', '\u202f', '\u205f', '        ', '\n\n\n\n', ' \t ', '\ufeff'],
    'controls': ['\0', '\x01', '\x1b[0m', '\x7f', '\x1c', '\x1f', '\u0080', '\u009f', '\ufff9', '\ufffd', '\ufffe', '\U0010ffff', '\ue000', '\u2060', '\u061c'],
    'signs': ['.', ',', '!', '?', '...', '…', '—', '–', '«', '»', '“', '”', '’', '‘s', "'", "''", '"', '(', ')', '[', ']', '%', '€', '£', '¥', '§', '°', '+', '=',
              '∑', '∫', '≠', '→', '©', '™', '¬', '·', '¿', '_', '__', '/', '\\', '~~', '▁', '▁▁', 'Ġ', 'Ċ', 'Ã©'],
    'names': ['<|im_start|>', '<|im_end|>', '<|endoftext|>', '<s>', '</s>', '<bos>', '<eos>', '<unk>', '<pad>', '<start_of_turn>', '<end_of_turn>', '<|im_start',
              '|>', '<|', '<0x0A>', '<0xFF>', '<unused7>', '<table>', '</table>', '<h1>', '[multimodal]', '<file_sep>', '<|im_start|><|im_end|>', '<<s>>', '<reponame>'],
}
BROKEN = [b'\xff', b'\xfe', b'\x80', b'\xbf', b'\xc0\x80', b'\xc1\xbf', b'\xe0\x80\x80', b'\xed\xa0\x80', b'\xed\xbf\xbf', b'\xf0\x80\x80\x80', b'\xe2\x82', b'\xe2', b'\xf0\x9f',
          b'\xf0\x9f\x98', b'\xc3', b'\xe2\x28\xa1', b'\xf8\x88\x80\x80\x80', b'\xfc', b'\xf4\x8f\xbf\xbf', b'\xc3\x28', b'\xe2\x96', b'\x81', b'\xe2 ', b'\xf0 ab']
# llama.cpp throws where it puts such a code point together again.
BEYOND = re.compile(rb'\xf4[\x90-\xbf][\x80-\xbf]{2}|[\xf5-\xf7][\x80-\xbf]{3}')


def generated(rng):
    kinds = rng.sample(list(PIECES), rng.randint(1, 4))
    out = []
    for _ in range(rng.choice([1, 2, 3, 5, 8, 13, 30, 60])):
        out.append(rng.choice(PIECES[rng.choice(kinds)]))
        if rng.random() < .6:
            out.append(' ')
    return ''.join(out).encode('utf-8', 'surrogatepass')


def nasty(rng):
    how = rng.randrange(9)
    if how == 0:
        return bytes(rng.randrange(256) for _ in range(rng.randint(1, 80)))
    if how == 1:
        return generated(rng)[:rng.randint(1, 60)]
    if how == 2:
        text = bytearray(generated(rng))
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(text) + 1)
            text[at:at] = rng.choice(BROKEN)
        return bytes(text)
    if how == 3:
        return rng.choice(sum(PIECES.values(), [])).encode() * rng.randint(2, 300)
    if how == 4:
        return ''.join(chr(rng.choice([rng.randrange(1, 0x300), rng.randrange(0x300, 0xD800), rng.randrange(0xE000, 0x10000), rng.randrange(0x10000, 0x110000)]))
                       for _ in range(rng.randint(1, 60))).encode()
    if how == 5:
        return ''.join(rng.choice(PIECES['blanks'] + ['a', '1', '.']) for _ in range(rng.randint(1, 50))).encode()
    if how == 6:
        return ''.join(rng.choice(PIECES['names'] + ['a', ' ', '<', '|', '>']) for _ in range(rng.randint(1, 20))).encode()
    if how == 7:
        return b''.join(rng.choice(BROKEN + [b'a', b' ', '▁'.encode(), '好'.encode()]) for _ in range(rng.randint(1, 30)))
    return ''.join(rng.choice("'sStTmMdDrReEvVlL1234 \n\r.") for _ in range(rng.randint(1, 60))).encode()


def texts(generated_count, nasty_count, unicode_only=False):
    rng = random.Random(7)
    out = [b''] + [generated(rng) for _ in range(generated_count)]
    while nasty_count > 0:
        text = nasty(rng)
        if BEYOND.search(text):
            continue
        if unicode_only:
            try:
                text.decode()
            except UnicodeDecodeError:
                text = text.decode('utf-8', 'replace').encode()
        out.append(text)
        nasty_count -= 1
    return out


def every_character():
    """All code points, some dozen a text, each between letters, numbers, signs and blanks."""
    points = [p for p in range(1, 0x110000) if not 0xD800 <= p < 0xE000]
    step = 24
    for i in range(0, len(points), step):
        yield ''.join(f'a{chr(p)}b {chr(p)}1{chr(p)} .{chr(p)}' for p in points[i:i + step]).encode()


# ---- the two sides --------------------------------------------------------------------------------------------------

def ours(tool, model, jobs):
    """jobs: (text, flags) -> (ids, bytes given back)"""
    data = b''.join(struct.pack('<II', len(t), f) + t for t, f in jobs)
    done = subprocess.run([tool, model, 'texts'], input=data, capture_output=True)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    out, at, data = [], 0, done.stdout
    for _ in jobs:
        n, = struct.unpack_from('<I', data, at)
        ids = struct.unpack_from(f'<{n}i', data, at + 4)
        at += 4 + 4 * n
        n, = struct.unpack_from('<I', data, at)
        out.append((list(ids), data[at + 4:at + 4 + n]))
        at += 4 + n
    return out


class Llama:
    def __init__(self, path):
        import llama_cpp
        self.lib = llama_cpp
        silent = llama_cpp.llama_log_callback(lambda level, text, user: None)
        self.silent = silent
        llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        start = time.perf_counter()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        self.load = time.perf_counter() - start
        if not self.model:
            raise RuntimeError('llama.cpp does not load ' + path)
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)

    def free(self):
        self.lib.llama_model_free(self.model)

    def ids(self, text, flags):
        room = len(text) + 16
        buffer = (ctypes.c_int32 * room)()
        n = self.lib.llama_tokenize(self.vocab, text, len(text), buffer, room, bool(flags & 1), bool(flags & 2))
        if n < 0:
            buffer = (ctypes.c_int32 * -n)()
            n = self.lib.llama_tokenize(self.vocab, text, len(text), buffer, -n, bool(flags & 1), bool(flags & 2))
        return list(buffer[:n])

    def text(self, ids):
        if not ids:
            return b''
        array = (ctypes.c_int32 * len(ids))(*ids)
        buffer = ctypes.create_string_buffer(64 * len(ids) + 64)
        n = self.lib.llama_detokenize(self.vocab, array, len(ids), buffer, len(buffer), True, False)
        return buffer.raw[:n] if n >= 0 else None

    def ends(self):
        return {i for i in range(self.lib.llama_vocab_n_tokens(self.vocab)) if self.lib.llama_vocab_is_eog(self.vocab, i)}


def compare(name, mine, theirs, jobs, shown=5):
    wrong = 0
    for (text, flags), a, b in zip(jobs, mine, theirs):
        if a[0] == b[0] and (b[1] is None or a[1] == b[1]):
            continue
        wrong += 1
        if wrong <= shown:
            what = 'ids' if a[0] != b[0] else 'bytes'
            at = next((i for i, (x, y) in enumerate(zip(a[0], b[0])) if x != y), min(len(a[0]), len(b[0])))
            print(f'  {what} of {text[:120]!r} flags {flags}: at {at} {a[0][at:at + 6]} instead of {b[0][at:at + 6]}; {a[1][:60]!r} {b[1] and b[1][:60]!r}')
    print(f'{name}: {len(jobs)} texts, {wrong} differ', flush=True)
    return wrong


def beside_llama(tool, path, job_texts, label):
    peer = Llama(path)
    jobs = [(t, f) for i, t in enumerate(job_texts) for f in ((0, 2) if i % 4 else (0, 1, 2, 3))]
    theirs = []
    for text, flags in jobs:
        ids = peer.ids(text, flags)
        theirs.append((ids, peer.text(ids)))
    wrong = compare(label, ours(tool, path, jobs), theirs, jobs)
    names = subprocess.run([tool, path, 'names'], capture_output=True).stdout
    at, mine, i = 0, set(), 0
    while at < len(names):
        flags, size = struct.unpack_from('<II', names, at)
        if flags & 2:
            mine.add(i)
        at += 8 + size
        i += 1
    if mine != peer.ends():
        print(f'  tokens that end an answer: {sorted(mine)} instead of {sorted(peer.ends())}')
        wrong += 1
    peer.free()
    return wrong


# ---- copies of a GGUF file under another pre-tokenizer ------------------------------------------------------------------

PRES = ('default gpt-2 smollm llama-bpe qwen2 qwen35 tekken deepseek-llm deepseek-coder deepseek-v3 falcon starcoder refact command-r bloom gpt-4o dbrx smaug-bpe glm4 '
        'stablelm2 viking poro-chat gpt3-finnish mpt olmo jais trillion exaone minerva-7b bailingmoe seed-coder chameleon hunyuan hunyuan-dense codeshell').split()


def with_pre(path, pre, out):
    """A copy with the vocabulary alone and another name of the pre-tokenizer."""
    import gguf
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(out, 'llama')
    for key, field in reader.fields.items():
        if not key.startswith('tokenizer.') or key == 'tokenizer.chat_template':
            continue
        value = pre if key == 'tokenizer.ggml.pre' else field.contents()
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, value)
        else:
            writer.add_key_value(key, value, field.types[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---- tokenizer.json: small tokenizers trained here -------------------------------------------------------------------

def corpus():
    rng = random.Random(3)
    return [generated(rng).decode('utf-8', 'replace') for _ in range(3000)]


def small_tokenizers():
    """(name, tokenizer of PyPI tokenizers)"""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    special = ['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>']
    lines = corpus()

    def byte_level(pre, size=3000, normalizer=None, ignore_merges=False, prefix=False):
        t = Tokenizer(models.BPE(ignore_merges=ignore_merges))
        if normalizer:
            t.normalizer = normalizer
        t.pre_tokenizer = pre
        t.decoder = decoders.ByteLevel()
        t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
        t.add_tokens([AddedToken('[multimodal]', normalized=False), AddedToken('<table>', normalized=False, lstrip=True, rstrip=True)])
        return t

    llama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    o200k = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|" \
            "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    p, plain = pre_tokenizers, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    yield 'gpt-2', byte_level(p.ByteLevel(add_prefix_space=False))
    yield 'gpt-2 with a blank in front', byte_level(p.ByteLevel(add_prefix_space=True))
    yield 'smollm', byte_level(p.Sequence([p.Digits(individual_digits=True), p.ByteLevel(add_prefix_space=False)]))
    yield 'llama 3', byte_level(p.Sequence([p.Split(Regex(llama3), 'isolated'), plain]), ignore_merges=True)
    yield 'qwen 2', byte_level(p.Sequence([p.Split(Regex(llama3.replace('{1,3}', '')), 'isolated'), plain]), normalizer=normalizers.NFC())
    yield 'o200k', byte_level(p.Sequence([p.Split(Regex(o200k), 'removed', invert=True), plain]))
    yield 'merged', byte_level(p.Sequence([p.Split(Regex('[.,]'), 'merged_with_previous'), p.Split(' ', 'merged_with_next'), plain]), normalizer=normalizers.NFKC())
    yield 'removed', byte_level(p.Sequence([p.WhitespaceSplit(), plain]), normalizer=normalizers.Sequence([normalizers.Lowercase(), normalizers.Strip()]))

    def sentence(pre, normalizer, decoder, fallback=True, fuse=True):
        t = Tokenizer(models.BPE(unk_token='<unk>', byte_fallback=fallback, fuse_unk=fuse))
        if normalizer:
            t.normalizer = normalizer
        if pre:
            t.pre_tokenizer = pre
        t.decoder = decoder
        extra = special + ([f'<0x{b:02X}>' for b in range(256)] if fallback else [])
        t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=3000, special_tokens=extra, limit_alphabet=150, show_progress=False))
        if fallback:  # bytes are tokens of the model, not names found in texts
            data = json.loads(t.to_str())
            data['added_tokens'] = [a for a in data['added_tokens'] if not a['content'].startswith('<0x')]
            t = Tokenizer.from_str(json.dumps(data))
        t.post_processor = processors.TemplateProcessing(single='<s> $A </s>', special_tokens=[('<s>', 1), ('</s>', 2)])
        return t

    d = decoders
    llama2 = d.Sequence([d.Replace('▁', ' '), d.ByteFallback(), d.Fuse(), d.Strip(' ', 1, 0)])
    yield 'llama 2', sentence(None, normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')]), llama2)
    yield 'metaspace', sentence(p.Metaspace(), None, d.Metaspace(), fallback=False)
    yield 'metaspace, first', sentence(p.Metaspace(prepend_scheme='first'), None, d.Sequence([d.ByteFallback(), d.Metaspace(prepend_scheme='first')]))
    yield 'metaspace, no words', sentence(p.Metaspace(split=False), None, d.Metaspace(), fallback=False, fuse=False)
    yield 'gemma', sentence(p.Split(' ', 'merged_with_previous'), normalizers.Replace(' ', '▁'), d.Sequence([d.Replace('▁', ' '), d.ByteFallback(), d.Fuse()]))


def beside_tokenizers(tool, job_texts):
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, t) in enumerate(small_tokenizers()):
            path = os.path.join(folder, f'{i}.json')
            t.save(path)
            jobs = [(text, f) for k, text in enumerate(job_texts) for f in ((2,) if k % 4 else (2, 3))]
            theirs = []
            for text, flags in jobs:
                ids = t.encode(text.decode(), add_special_tokens=bool(flags & 1)).ids
                back = t.decode(ids, skip_special_tokens=True)
                # what the reference program shows of broken characters is not bytes any more
                theirs.append((ids, None if '\ufffd' in back else back.encode()))
            wrong += compare('tokenizer.json, ' + name, ours(tool, path, jobs), theirs, jobs, 3)
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--models', default=os.environ.get('NIGH_MODELS', os.path.join(HERE, '..', 'build', 'models')))
    parser.add_argument('--tool', default=os.path.join(HERE, '..', 'build', 'bench', 'tokens_time'))
    parser.add_argument('--generated', type=int, default=10000)
    parser.add_argument('--nasty', type=int, default=1000)
    parser.add_argument('--pre', default='')
    parser.add_argument('--characters', action='store_true', help='every code point too')
    parser.add_argument('--json', action='store_true', help='only tokenizer.json')
    parser.add_argument('--time', action='store_true')
    parser.add_argument('--text', help='file for --time')
    args = parser.parse_args()
    models = sorted(glob.glob(os.path.join(args.models, '*.gguf')))
    if not models:
        raise SystemExit(f'no *.gguf in {args.models}: `make models` fetches two')
    if args.time:
        return timing(args, models)
    wrong = 0
    job_texts = texts(args.generated, args.nasty)
    if args.characters:
        job_texts += list(every_character())
    if args.json:
        return 1 if beside_tokenizers(args.tool, texts(args.generated, args.nasty, True)) else 0
    if args.pre:
        base = next(m for m in models if 'SmolLM' in m)
        for pre in PRES if args.pre == 'all' else args.pre.split(','):
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, 'pre.gguf')
                with_pre(base, pre, path)
                try:
                    wrong += beside_llama(args.tool, path, job_texts, 'pre-tokenizer ' + pre)
                except (SystemExit, RuntimeError) as problem:
                    print(f'pre-tokenizer {pre}: {problem}')
    else:
        for path in models:
            wrong += beside_llama(args.tool, path, job_texts, os.path.basename(path))
        wrong += beside_tokenizers(args.tool, texts(args.generated, args.nasty, True))
    return 1 if wrong else 0


def timing(args, models):
    text = args.text
    for path in models:
        mine = json.loads(subprocess.run([args.tool, path, 'time', text], capture_output=True, check=True).stdout)
        loads = []
        for _ in range(3):
            peer = Llama(path)
            loads.append(peer.load)
            if len(loads) < 3:
                peer.free()
        data = open(text, 'rb').read()[:200000]
        start = time.perf_counter()
        peer.ids(data, 0)
        rate = len(data) / 1e6 / (time.perf_counter() - start)
        peer.free()
        print(f'{os.path.basename(path)}: load {mine["load"] * 1e3:.1f} ms beside {min(loads) * 1e3:.1f} ms; {mine["rate"]:.1f} MB/s beside {rate:.2f} MB/s')
    return 0


if __name__ == '__main__':
    sys.exit(main())
