# shellcheck shell=bash
# Networks and plans on other grids.
cat >make.py <<'PY'
import json, random, struct, sys
# x -> conv of 3 points, round the circle -> gelu -> KIND -> linear
random.seed(1)
kind, path = sys.argv[1], sys.argv[2]
shapes = {'conv.weight': [3, 1, 4], 'out.weight': [4, 1]}
def layer(kind, name, inputs, weights=(), attributes=()):
    return {'kind': kind, 'name': name, 'inputs': list(inputs), 'weights': list(weights), 'attributes': list(attributes)}
def number(key, value):
    return {'key': key, 'value': value}
net = {'dtype': 'f32', 'inputs': [{'layer': 0, 'dtype': 'f32', 'shape': [-1, -1, 1]}], 'outputs': [4],
       'weights': [{'name': k, 'init': 'zero', 'scale': 0, 'rate': 1, 'decay': 1, 'frozen': False} for k in shapes],
       'layers': [layer('input', 'x', []), layer('conv', 'conv', [0], [0], [number('pad', 1), {'key': 'padding', 'text': 'circular'}]), layer('gelu', 'act', [1]),
                  layer(kind, 'it', [2], [], [number('axis', 1), number('shift', 1)] if kind == 'roll' else []), layer('linear', 'out', [3], [1])]}
header, data = {'__metadata__': {'format': 'nigh-network', 'version': '1', 'network': json.dumps(net)}}, b''
for name, shape in shapes.items():
    n = shape[0] * shape[1] * (shape[2] if len(shape) > 2 else 1)
    header[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [len(data), len(data) + 4 * n]}
    data += struct.pack('<%df' % n, *[random.uniform(-1, 1) for _ in range(n)])
text = json.dumps(header).encode()
text += b' ' * (-len(text) % 8)
open(path, 'wb').write(struct.pack('<Q', len(text)) + text + data)
PY
python3 make.py tanh net.safetensors
run 0 nigh audit net.safetensors --grid 32
out '^trained on 32 points \(periodic\), kernels by fourier'
out '^conv +conv +fixable +kernel in physical units +3 points are 0.0938 wide'
out '^4 layers act on functions, 1 do when rewritten, 0 do not'
out '^128 '
out '^safe grids \(within 0.05 of the finest\)'
out '^  rewritten  16, 32, 64, 128$'
out '^  as it is   32$'
run 0 nigh audit net.safetensors --grid 32 --json
check python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["safe"]["rewritten"] == [16, 32, 64, 128] and d["consistency"]["rewritten"][3] < 1e-3 and len(d["audit"]["layers"]) == 5' "$stdout"
run 0 nigh audit net.safetensors --grid 32 --points cell --kernel linear
out 'kernels by linear'
python3 make.py roll index.safetensors
run 1 nigh audit index.safetensors --grid 32
out '^it +roll +refused +none +it goes along space by the index of points'
err '1 layers of index.safetensors go by the index'

run 2 nigh audit net.safetensors
err 'say --grid N'
run 2 nigh audit net.safetensors --grid 32 --points cell --kernel fourier
err 'ring at its edges'
run 2 nigh audit net.safetensors --grid 32 --points corner
err "corner.*cell, node or periodic"
run 2 nigh audit net.safetensors --grid 32 --kernel best
err "best.*auto, linear"
run 2 nigh audit nothing.safetensors --grid 32
err 'No such file'
run 2 nigh audit
err 'NETWORK is missing'
run 0 nigh plan 'sin(x)' --on 0:1 --type f64 --error 1e-3 -o f.nigh
run 2 nigh audit f.nigh
err 'hold no network on fields'

# A plan of a network on fields: audited, and applied to a finer grid with a warning.
run 0 nigh sample burgers --grid 32 --n 80 --seed 1 -o pairs.npz
run 0 nigh plan pairs.npz --error 5 --methods nns-to-nos --settings network=conv,depth=2,width=4,epochs=1,batch=10 --no-clock -o conv.nigh
run 0 nigh audit conv.nigh
out '^trained on 32 points \(periodic\), kernels by fourier'
out '^down.0.conv0 +conv +fixable +kernel in physical units'
run 2 nigh audit conv.nigh --grid 64
err 'was trained on 32 points'
python3 -c 'import math
for i in range(2): print(",".join("%.9g" % math.sin(2 * math.pi * (k / 64 + i / 3)) for k in range(64)))' >fine.csv
run 0 nigh apply conv.nigh fine.csv -o fine.npy
err 'another grid than the plan was made for'
check python3 -c 'import struct; b = open("fine.npy", "rb").read(); assert b"(2, 64)" in b[:128]'
run 2 nigh apply conv.nigh fine.csv -o strict.npy --strict
err 'another grid.*strict'
