# shellcheck shell=bash
# nigh generate and perplexity: answers, rules, streams, bad files and bad flags. The model is small and drawn: one layer, bytes as tokens.
check python3 - <<'PY'
import random, struct
random.seed(5)
def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack('<Q', len(s)) + s
def key(name, kind, data): return text(name) + struct.pack('<I', kind) + data
def integer(name, value): return key(name, 4, struct.pack('<I', value))
def array(name, kind, items): return key(name, 9, struct.pack('<IQ', kind, len(items)) + b''.join(items))
visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
spelled, more = [], 256
for byte in range(256):
    spelled.append(chr(byte if byte in visible else more))
    more += byte not in visible
names = spelled + ['<|begin|>', '<|end|>']
W, H, F, V = 32, 2, 64, len(names)
tensors = [('token_embd.weight', [W, V]), ('output_norm.weight', [W]), ('blk.0.attn_norm.weight', [W]), ('blk.0.ffn_norm.weight', [W])]
tensors += [('blk.0.attn_%s.weight' % n, [W, W]) for n in ('q', 'k', 'v', 'output')]
tensors += [('blk.0.ffn_gate.weight', [W, F]), ('blk.0.ffn_up.weight', [W, F]), ('blk.0.ffn_down.weight', [F, W])]
def model(path, arch='llama', skip=None, layers=1):
    keys = [key('general.architecture', 8, text(arch)), integer(arch + '.block_count', layers), integer(arch + '.embedding_length', W),
            integer(arch + '.feed_forward_length', F), integer(arch + '.attention.head_count', H), integer(arch + '.context_length', 128),
            key(arch + '.attention.layer_norm_rms_epsilon', 6, struct.pack('<f', 1e-5)), key('tokenizer.ggml.model', 8, text('gpt2')),
            key('tokenizer.ggml.pre', 8, text('smollm')), array('tokenizer.ggml.tokens', 8, [text(n) for n in names]),
            array('tokenizer.ggml.token_type', 5, [struct.pack('<i', 1 if i < 256 else 3) for i in range(V)]), array('tokenizer.ggml.merges', 8, []),
            integer('tokenizer.ggml.bos_token_id', 256), integer('tokenizer.ggml.eos_token_id', 257)]
    infos, data = b'', b''
    kept = [t for t in tensors if t[0] != skip]
    for name, shape in kept:
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        infos += text(name) + struct.pack('<I', len(shape)) + struct.pack('<%dQ' % len(shape), *shape) + struct.pack('<IQ', 0, len(data))
        scale = 0.5 if 'embd' in name else 0.2
        data += b''.join(struct.pack('<f', 1 if 'norm' in name else random.uniform(-scale, scale)) for _ in range(count))
        data += bytes(-len(data) % 32)
    head = struct.pack('<4sIQQ', b'GGUF', 3, len(kept), len(keys)) + b''.join(keys) + infos
    open(path, 'wb').write(head + bytes(-len(head) % 32) + data)
model('tiny.gguf')
model('odd.gguf', arch='mamba')
model('missing.gguf', skip='blk.0.ffn_up.weight')
model('layers.gguf', layers=2)
whole = open('tiny.gguf', 'rb').read()
open('cut.gguf', 'wb').write(whole[:len(whole) // 2])
open('text.txt', 'w').write('to be or not to be, that is the question. ' * 40)
PY
generate() { run 0 nigh generate tiny.gguf "$@"; }

# The same answer with and without drafts, on one thread and two, with a kept trie.
generate "abc abc abc" -n 60 --past-end --json --drafts off --threads 1
cp "$stdout" plain.json
for way in "--drafts on --threads 2" "--drafts auto --threads 1 --trie t.st" "--drafts on --trie t.st" "--kv f16"; do
    # shellcheck disable=SC2086
    generate "abc abc abc" -n 60 --past-end --json $way
    check python3 -c 'import json, sys; a, b = (json.load(open(f))["tokens"] for f in ("plain.json", sys.argv[1])); assert [t["id"] for t in a] == [t["id"] for t in b]; assert len(a) == 60' "$stdout"
done
generate "abc" -n 20 --temperature 1 --seed 7 --past-end --json
cp "$stdout" seven.json
generate "abc" -n 20 --temperature 1 --seed 7 --past-end --json --drafts on
check python3 -c 'import json, sys; assert json.load(open("seven.json"))["tokens"] == json.load(open(sys.argv[1]))["tokens"]' "$stdout"
generate "abc" -n 20 --temperature 1 --seed 8 --past-end --json
check python3 -c 'import json, sys; assert json.load(open("seven.json"))["tokens"] != json.load(open(sys.argv[1]))["tokens"]' "$stdout"

# Rules: what is answered is a member.
generate "A date:" --regex '[12][0-9]{3}-[01][0-9]-[0-3][0-9]' -n 20
out '^[12][0-9]{3}-[01][0-9]-[0-3][0-9]$'
generate "x" --grammar 'root ::= ("ab" | "cd"){3} "!"' -n 20
out '^(ab|cd){3}!$'
generate "x" --json-schema '{"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"enum": [1, 2]}}, "required": ["a", "b"], "additionalProperties": false}' -n 60
check python3 -c 'import json, sys; v = json.loads(open(sys.argv[1]).read()); assert v["a"] in (True, False) and v["b"] in (1, 2)' "$stdout"
generate "x" --regex '[ab]{4}' --particles 6 -n 10
out '^[01]\.[0-9]+	[ab]{4}$'

# Any length in bounded memory; a text foretold.
generate "abc" -n 400 --past-end --window 64 --sinks 2 --json
check python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))["tokens"]) == 400' "$stdout"
run 0 nigh perplexity tiny.gguf text.txt --context 64 --json
check python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); assert abs(r["nats"] - 8.279) < 0.01 and r["tokens"] == 806' "$stdout"
run 0 nigh perplexity tiny.gguf text.txt --window 32
out 'nats a token'

# Bad files name file and part; bad flags name flag, value and what is allowed.
run 2 nigh generate absent.gguf "x"
err "absent\.gguf"
run 2 nigh generate cut.gguf "x"
err "cut\.gguf"
run 2 nigh generate odd.gguf "x"
err "'mamba'; llama, qwen2"
run 2 nigh generate missing.gguf "x"
err "'blk\.0\.ffn_up\.weight' is missing"
run 2 nigh generate layers.gguf "x"
err "'blk\.1\."
run 2 nigh generate text.txt "x"
err "text\.txt"
run 2 nigh generate tiny.gguf "x" --kv f8
err "f16, f32 and q8"
run 2 nigh generate tiny.gguf "x" --drafts maybe
err "auto, on and off"
run 2 nigh generate tiny.gguf "x" --regex a --grammar 'root ::= "a"'
err "one of them"
run 2 nigh generate tiny.gguf "x" --regex '(a)\1'
err "back-reference"
run 2 nigh generate tiny.gguf "x" --particles 4
err "--particles needs a rule"
run 2 nigh generate tiny.gguf "x" --top-p 2
err "--top-p"
run 2 nigh generate
err "needs a model"
run 2 nigh perplexity tiny.gguf text.txt --context 8192
err "a window of 8192"
