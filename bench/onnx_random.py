"""Random ONNX graphs over all operators that nigh reads, for onnx_beside.py: random_model(seed) gives model, operators, inputs."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx_random_fields import SINCE, Skip, conv, conv_transpose, norms, pool, resize

OPSETS = [9, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21]


class Graph:
    def __init__(self, rng):
        self.rng, self.opset = rng, int(rng.choice(OPSETS))
        self.nodes, self.tensors, self.inputs, self.shape, self.serial, self.ops = [], [], [], {}, 0, []
        self.smooth = {}  # names whose values are no jumps away from others

    def name(self, what='v'):
        self.serial += 1
        return f'{what}{self.serial}'

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def whole(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def tensor(self, array, constant=None):
        array = np.asarray(array)
        name = self.name('w')
        if constant or (constant is None and self.chance(0.15)):
            self.nodes.append(helper.make_node('Constant', [], [name], value=numpy_helper.from_array(array)))
        else:
            self.tensors.append(numpy_helper.from_array(array, name))
        self.shape[name] = list(array.shape)
        return name

    def weights(self, *shape, fan=None, positive=False):
        array = self.rng.standard_normal(shape) / np.sqrt(max(fan or 1, 1))
        return (np.abs(array) + 0.3 if positive else array).astype(np.float32)

    def ints(self, *values):
        return self.tensor(np.array(values, np.int64))

    def input(self, shape):
        name = self.name('in')
        self.inputs.append(name)
        self.shape[name] = list(shape)
        return name

    def model(self, outputs, typed=False):
        def info(name, typ=TensorProto.FLOAT):
            return helper.make_tensor_value_info(name, typ, self.shape.get(name))
        graph = helper.make_graph(self.nodes, 'g', [info(i) for i in self.inputs], [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) if typed else onnx.ValueInfoProto(name=o) for o in outputs], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid('', self.opset)], ir_version=8 if self.opset < 19 else 10)

    def add(self, op, inputs, outputs=1, **attributes):
        names = [self.name() for _ in range(outputs)]
        keep = len(self.nodes)
        try:
            self.nodes.append(helper.make_node(op, inputs, names, **{k: v for k, v in attributes.items() if v is not None}))
            inferred = onnx.shape_inference.infer_shapes(self.model(names), strict_mode=True, data_prop=True)
        except Exception as error:
            del self.nodes[keep:]
            raise Skip(str(error)[:200])
        for value in list(inferred.graph.output) + list(inferred.graph.value_info):
            t = value.type.tensor_type
            if value.name in names:
                dims = [d.dim_value for d in t.shape.dim] if t.HasField('shape') else None
                if dims is None or any(d < 1 for d in dims) or np.prod(dims) > 200000:
                    del self.nodes[keep:]
                    raise Skip('shape')
                self.shape[value.name] = dims
        if any(n not in self.shape for n in names):
            del self.nodes[keep:]
            raise Skip('unknown shape')
        self.ops.append(op)
        return names[0] if outputs == 1 else names

    def axes(self, op, x, axes, since, **more):
        if self.opset >= since:
            return self.add(op, [x] + ([self.ints(*axes)] if axes is not None else []), **more)
        return self.add(op, [x], axes=axes, **more)


# ---- operators: each takes the graph and a value, gives a value

UNARY = ['Abs', 'Cos', 'Erf', 'Neg', 'Relu', 'Sigmoid', 'Sin', 'Softplus', 'Softsign', 'Tanh', 'Identity', 'Elu', 'LeakyRelu', 'Selu', 'HardSigmoid', 'Celu', 'ThresholdedRelu', 'Shrink']
JUMPS = ['Floor', 'Ceil', 'Round', 'Sign']



def unary(g, x):
    op = g.pick(UNARY + ['HardSwish', 'Mish', 'Gelu'])
    if SINCE.get(op, 0) > g.opset:
        raise Skip(op)
    more = {}
    if op in ('Elu', 'LeakyRelu', 'Selu', 'HardSigmoid', 'Celu', 'ThresholdedRelu') and g.chance(0.7):
        more['alpha'] = float(np.float32(g.rng.uniform(0.05, 1.5)))
    if op == 'Selu' and g.chance(0.5):
        more['gamma'] = 1.3
    if op == 'HardSigmoid' and g.chance(0.5):
        more['beta'] = 0.4
    if op == 'Shrink':
        more = {'lambd': 0.4, 'bias': g.pick([0.0, 0.4])}
    if op == 'Gelu':
        more = {'approximate': g.pick(['none', 'tanh'])}
    if op == 'ThresholdedRelu' or (op == 'Shrink' and more['bias'] != 0.4):
        x = inner(g)
    return g.add(op, [x], **more)


def inner(g):
    """A value straight from an input: jumps in it do not see roundings."""
    return g.pick(g.inputs)


def jump(g, x):
    return g.add(g.pick(JUMPS if g.opset >= 11 else ['Floor', 'Ceil', 'Sign']), [inner(g)])


def positive(g, x):
    op = g.pick(['Log', 'Sqrt', 'Reciprocal', 'Pow', 'Exp'])
    if op == 'Exp':
        return g.add('Exp', [g.add('Tanh', [x])])
    y = g.add('Add', [g.add('Abs', [x]), g.tensor(np.float32(0.5))])
    if op == 'Pow':
        return g.add('Pow', [y, g.tensor(np.float32(g.pick([2.0, 0.5, 3.0, -1.0, 1.0, 1.7])))])
    return g.add(op, [y])


def other(g, x):
    """Something that broadcasts with x: fixed, an input's, or x itself changed."""
    s = g.shape[x]
    kind = g.whole(0, 4)
    if kind == 0:
        return g.tensor(g.weights())
    if kind == 1:
        return g.tensor(g.weights(1))
    if kind == 2:
        k = g.whole(0, len(s))
        return g.tensor(g.weights(*[d if g.chance(0.7) else 1 for d in s[len(s) - k:]]))
    if kind == 3:
        same = [v for v in g.values if g.shape[v] == s]
        return g.pick(same)
    return g.add(g.pick(['Tanh', 'Sin']), [x])


def binary(g, x):
    op = g.pick(['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Sum', 'Mean', 'Where', 'Compare', 'Mod'])
    y = other(g, x)
    if op == 'Div':
        y = g.add('Add', [g.add('Abs', [y]), g.tensor(np.float32(0.5))])
    elif op == 'Where':
        mask = g.tensor(g.rng.random(g.shape[x]) < 0.5) if g.chance(0.5) else g.add('Greater', [inner(g), g.tensor(np.float32(0.1))])
        if g.shape[mask] != g.shape[x]:
            raise Skip('mask')
        return g.add('Where', [mask] + ([x, y] if g.chance(0.5) else [y, x]))
    elif op == 'Compare':
        name = g.pick(['Greater', 'Less', 'Equal', 'GreaterOrEqual', 'LessOrEqual', 'And', 'Or', 'Xor', 'Not'])
        if SINCE.get(name, 0) > g.opset or (name == 'Equal' and g.opset < 11):
            raise Skip(name)
        a = inner(g)
        if name in ('And', 'Or', 'Xor', 'Not'):
            p, q = g.add('Greater', [a, g.tensor(np.float32(0.2))]), g.add('Less', [a, g.tensor(np.float32(0.7))])
            t = g.add(name, [p] if name == 'Not' else [p, q])
        else:
            t = g.add(name, [a, g.tensor(np.float32(0.0))])
        return g.add('Cast', [t], to=TensorProto.FLOAT)
    elif op in ('Sum', 'Mean') or (op in ('Min', 'Max') and g.chance(0.5)):
        return g.add(op, [x, y, x] if g.chance(0.5) else [x, y])
    elif op == 'Mod':
        if g.opset < 10:
            raise Skip('Mod')
        return g.add('Mod', [inner(g), g.tensor(np.float32(0.7))], fmod=1)
    return g.add(op, [x, y] if g.chance(0.6) or op == 'Div' else [y, x])


def clip(g, x):
    low, high = g.rng.uniform(-1, -0.3), g.rng.uniform(0.3, 1) # a narrow one would leave little but roundings
    if g.opset < 11:
        return g.add('Clip', [x], min=float(low), max=float(high) if g.chance(0.7) else None)
    names = [g.tensor(np.float32(low)) if g.chance(0.8) else '', g.tensor(np.float32(high))]
    return g.add('Clip', [x] + names[:1 if names[0] and g.chance(0.2) else 2])


def prelu(g, x):
    s = g.shape[x]
    if not s:
        raise Skip('number')
    shape = g.pick([[1], s[1:], [s[1]] + [1] * (len(s) - 2) if len(s) > 1 else [1]])
    return g.add('PRelu', [x, g.tensor(g.weights(*shape))])


def gemm(g, x):
    s = g.shape[x]
    if len(s) != 2:
        return g.add('Flatten', [x], axis=g.whole(-len(s) if g.opset >= 11 else 0, len(s)))
    ta, tb, out = g.whole(0, 1) if g.chance(0.3) else 0, g.whole(0, 1), g.whole(1, 9)
    rows, k = (s[1], s[0]) if ta else s
    b = g.tensor(g.weights(*([out, k] if tb else [k, out]), fan=k))
    c = [] if g.opset >= 11 and g.chance(0.2) else [g.tensor(g.weights(*g.pick([[out], [1, out], [rows, out], [rows, 1], [1], []])))]
    if g.chance(0.15):
        b = g.add('Tanh', [b])
    more = {'alpha': 0.7, 'beta': 1.4} if g.chance(0.4) else {}
    return g.add('Gemm', [x, b] + c, transA=ta, transB=tb, **more)


def matmul(g, x):
    s, kind = g.shape[x], g.whole(0, 5)
    if not s:
        raise Skip('number')
    k = s[-1]
    if kind <= 1:
        y = g.add('MatMul', [x, g.tensor(g.weights(k, g.whole(1, 8), fan=k))])
        return g.add('Add', [y, g.tensor(g.weights(g.shape[y][-1]))]) if g.chance(0.5) else y
    if kind == 2 and len(s) >= 2:
        perm = list(range(len(s) - 2)) + [len(s) - 1, len(s) - 2]
        y = g.add('MatMul', [x, g.add('Transpose', [x], perm=perm)])
        return g.add('Mul', [y, g.tensor(np.float32(1 / k))])
    if kind == 3:
        return g.add('MatMul', [x, g.tensor(g.weights(k, fan=k))])
    if kind == 4 and len(s) >= 2:
        return g.add('MatMul', [g.tensor(g.weights(*([g.whole(1, 5)] if g.chance(0.7) else []), s[-2], fan=s[-2])), x])
    return g.add('MatMul', [x, g.tensor(g.weights(*[d if g.chance(0.5) else 1 for d in s[:-2]], k, g.whole(1, 6), fan=k))])


def einsum(g, x):
    s = g.shape[x]
    if g.opset < 12 or not 2 <= len(s) <= 4:
        raise Skip('einsum')
    letters = 'abcd'[:len(s)]
    if g.chance(0.5):
        y, equation = g.tensor(g.weights(s[-1], 5, fan=s[-1])), f'{letters},{letters[-1]}z->{letters[:-1]}z'
    else:
        y, equation = g.add('Sin', [x]), f'{letters},{letters[:-1]}z->{letters[:-2]}{letters[-1]}z'
        y = g.add('Mul', [y, g.tensor(np.float32(1 / s[-2]))])
    return g.add('Einsum', [x, y], equation=equation)


def attention(g, x):
    s = g.shape[x]
    if len(s) != 3:
        raise Skip('attention')
    n, t, d = s
    h, e = 2, 3
    parts = []
    for i in range(3):
        y = g.add('MatMul', [x, g.tensor(g.weights(d, h * e, fan=d))])
        y = g.add('Reshape', [y, g.ints(n if g.chance(0.5) else 0, -1, h, e)])
        parts.append(g.add('Transpose', [y], perm=[0, 2, 3, 1] if i == 1 else [0, 2, 1, 3]))
    scores = g.add('Mul', [g.add('MatMul', parts[:2]), g.tensor(np.float32(e ** -0.5))])
    if g.chance(0.5):
        mask = np.triu(np.full((t, t), -np.inf, np.float32), 1)
        if g.opset >= 14 and g.chance(0.5):
            full = g.add('ConstantOfShape', [g.ints(t, t)], value=numpy_helper.from_array(np.array([-np.inf], np.float32)))
            scores = g.add('Add', [scores, g.add('Trilu', [full, g.tensor(np.int64(1))], upper=1)])
        else:
            scores = g.add('Add', [scores, g.tensor(mask)])
    y = g.add('MatMul', [g.add('Softmax', [scores], axis=3), parts[2]])
    y = g.add('Reshape', [g.add('Transpose', [y], perm=[0, 2, 1, 3]), g.ints(n, t, h * e)])
    return g.add('MatMul', [y, g.tensor(g.weights(h * e, d, fan=h * e))])


def reshape(g, x):
    s = g.shape[x]
    count = int(np.prod(s))
    dims = []
    for _ in range(g.whole(0, 3)):
        divisors = [d for d in range(1, min(count, 12) + 1) if count % d == 0]
        dims.append(g.pick(divisors))
        count //= dims[-1]
    dims.append(count)
    g.rng.shuffle(dims)
    dims = [int(d) for d in dims]
    if g.chance(0.4):
        dims[g.whole(0, len(dims) - 1)] = -1
    elif g.chance(0.3) and s and dims[0] == s[0]:
        dims[0] = 0
    if g.chance(0.2):
        sizes = g.add('Shape', [x])
        return g.add('Reshape', [g.add('Reshape', [x, g.ints(-1)]), g.add('Concat', [sizes], axis=0)])
    return g.add('Reshape', [x, g.ints(*dims)])


def squeeze(g, x):
    s = g.shape[x]
    if g.chance(0.5) and len(s) < 6:
        n = len(s) + 1
        return g.axes('Unsqueeze', x, [g.whole(-n if g.opset >= 11 else 0, n - 1)], 13)
    ones = [i for i, d in enumerate(s) if d == 1]
    if not ones or len(s) < 2:
        raise Skip('squeeze')
    return g.axes('Squeeze', x, None if g.chance(0.3) else [g.pick(ones)], 13)


def transpose(g, x):
    n = len(g.shape[x])
    return g.add('Transpose', [x], perm=None if g.chance(0.2) else [int(i) for i in g.rng.permutation(n)])


def concat(g, x):
    s = g.shape[x]
    if not s:
        raise Skip('number')
    axis = g.whole(0, len(s) - 1)
    parts = [x]
    for v in g.values:
        t = g.shape[v]
        if len(t) == len(s) and all(a == b for i, (a, b) in enumerate(zip(s, t)) if i != axis) and len(parts) < 4:
            parts.append(v)
    if g.chance(0.3):
        t = list(s)
        t[axis] = g.whole(1, 3)
        parts.append(g.tensor(g.weights(*t)))
    g.rng.shuffle(parts)
    return g.add('Concat', [str(p) for p in parts], axis=axis - len(s) if g.opset >= 11 and g.chance(0.5) else axis)


def split(g, x):
    s = g.shape[x]
    wide = [i for i, d in enumerate(s) if d >= 2]
    if not wide:
        raise Skip('split')
    axis = g.pick(wide)
    n = g.whole(2, min(4, s[axis]))
    cuts = sorted(int(c) for c in g.rng.choice(np.arange(1, s[axis]), n - 1, replace=False))
    sizes = [b - a for a, b in zip([0] + cuts, cuts + [s[axis]])]
    if g.opset >= 18 and g.chance(0.4) and -(-s[axis] // n) * (n - 1) < s[axis]:
        parts = g.add('Split', [x], outputs=n, axis=axis, num_outputs=n)
    elif g.opset >= 13:
        parts = g.add('Split', [x, g.ints(*sizes)], outputs=n, axis=axis - len(s))
    else:
        parts = g.add('Split', [x], outputs=n, axis=axis, split=sizes)
    g.values += parts
    return g.pick(parts)


def slices(g, x):
    s = g.shape[x]
    if not s:
        raise Skip('number')
    axes = sorted(int(a) for a in g.rng.choice(len(s), g.whole(1, min(2, len(s))), replace=False))
    starts, ends, steps = [], [], []
    for a in axes:
        step = g.pick([1, 1, 2, 3, -1, -2]) if g.opset >= 10 else 1
        if step > 0:
            start, end = g.whole(0, s[a] - 1), g.pick([s[a], 2 ** 31 - 1, 2 ** 63 - 1, -1 if s[a] > 1 else s[a]])
            if end == -1 and start >= s[a] - 1:
                start = 0
        else:
            start, end = g.pick([s[a] - 1, -1, 2 ** 31]), g.pick([-2 ** 31, -2 ** 63 + 1, -s[a] - 1])
        starts.append(start)
        ends.append(end)
        steps.append(step)
    if g.opset < 10:
        return g.add('Slice', [x], starts=starts, ends=ends, axes=axes)
    return g.add('Slice', [x, g.ints(*starts), g.ints(*ends), g.ints(*axes), g.ints(*steps)])


def gather(g, x):
    s = g.shape[x]
    if not s:
        raise Skip('number')
    axis = g.whole(0, len(s) - 1)
    shape = g.pick([[], [1], [g.whole(1, 5)], [g.whole(40, 60)], [2, 2]])
    index = g.rng.integers(-s[axis], s[axis], shape)
    return g.add('Gather', [x, g.tensor(np.array(index, g.pick([np.int64, np.int32])))], axis=axis)


def pad(g, x):
    s = g.shape[x]
    if not s:
        raise Skip('number')
    mode = g.pick(['constant', 'constant', 'reflect', 'edge', 'wrap'])
    if mode == 'wrap' and g.opset < 19:
        raise Skip('wrap')
    low = [g.whole(0, 2) if g.chance(0.6) else 0 for _ in s]
    high = [g.whole(0, 2) if g.chance(0.6) else 0 for _ in s]
    if mode == 'reflect':
        low, high = [min(a, d - 1) for a, d in zip(low, s)], [min(a, d - 1) for a, d in zip(high, s)]
    if mode == 'constant' and g.chance(0.2):
        low = [-1 if d > 2 and g.chance(0.5) else a for a, d in zip(low, s)]
    if g.opset < 11:
        return g.add('Pad', [x], pads=low + high, mode=mode, value=float(g.pick([0.0, 0.3])))
    if g.opset >= 18 and g.chance(0.3):
        a = g.whole(0, len(s) - 1)
        return g.add('Pad', [x, g.ints(low[a], high[a]), '', g.ints(a - len(s))], mode=mode)
    return g.add('Pad', [x, g.ints(*(low + high))] + ([g.tensor(np.float32(0.4))] if g.chance(0.5) else []), mode=mode)


def tile(g, x):
    s = g.shape[x]
    if g.chance(0.5):
        return g.add('Tile', [x, g.ints(*[g.whole(1, 3) for _ in s])])
    dims = [g.whole(1, 3) if d == 1 else d for d in s]
    return g.add('Expand', [x, g.ints(*(([g.whole(1, 2)] if g.chance(0.3) and len(s) < 5 else []) + dims))])


def matrices(g, x):
    s = g.shape[x]
    op = g.pick(['Trilu', 'CumSum', 'DepthToSpace', 'SpaceToDepth'])
    if SINCE.get(op, 0) > g.opset:
        raise Skip(op)
    if op == 'Trilu':
        return g.add('Trilu', [x] + ([g.tensor(np.int64(g.whole(-2, 2)))] if g.chance(0.6) else []), upper=g.whole(0, 1))
    if op == 'CumSum':
        return g.add('CumSum', [x, g.tensor(np.int64(g.whole(-len(s), len(s) - 1)) if g.chance(0.7) else np.array([0]))], reverse=g.whole(0, 1), exclusive=g.whole(0, 1))
    if len(s) != 4:
        raise Skip(op)
    if op == 'SpaceToDepth':
        if s[2] % 2 or s[3] % 2:
            raise Skip(op)
        return g.add(op, [x], blocksize=2)
    if s[1] % 4:
        x = g.add('Conv', [x, g.tensor(g.weights(8, s[1], 1, 1, fan=s[1]))])
    return g.add(op, [x], blocksize=2, mode=g.pick(['DCR', 'CRD']) if g.opset >= 11 else None)


def reduce(g, x):
    s = g.shape[x]
    op = 'Reduce' + g.pick(['Mean', 'Sum', 'Max', 'Min', 'L1', 'L2', 'SumSquare', 'LogSum', 'LogSumExp', 'Prod'])
    if not s:
        raise Skip('number')
    axes = None if g.chance(0.15) else sorted(int(a) for a in g.rng.choice(len(s), g.whole(1, min(3, len(s))), replace=False))
    if axes and g.opset >= 11 and g.chance(0.4):
        axes = [a - len(s) for a in axes]
    if op == 'ReduceProd' and np.prod([s[a] for a in axes] if axes else s) > 40:
        raise Skip('long product')
    if op in ('ReduceLogSum', 'ReduceL2'):
        x = g.add('Add', [g.add('Abs', [x]), g.tensor(np.float32(0.2))])
    since = 13 if op == 'ReduceSum' else 18
    more = {'noop_with_empty_axes': 1} if g.opset >= since and axes is None and g.chance(0.5) and op in ('ReduceSum', 'ReduceMean', 'ReduceMax') else {}
    if np.prod(s) > 4000: # sums in f32 one by one are themselves off by more than is allowed
        raise Skip('long sum')
    y = g.axes(op, x, axes, since, keepdims=g.whole(0, 1), **more)
    size = np.prod(g.shape[x]) / np.prod(g.shape[y])
    return g.add('Mul', [y, g.tensor(np.float32(1 / size))]) if op in ('ReduceSum', 'ReduceL1', 'ReduceSumSquare') else y


def softmax(g, x):
    n = len(g.shape[x])
    if not n:
        raise Skip('number')
    axis = None if g.chance(0.2) else g.whole(-n if g.opset >= 11 else 0, n - 1)
    if axis is None and g.opset < 13 and n < 2:
        raise Skip('axis 1')
    return g.add(g.pick(['Softmax', 'Softmax', 'LogSoftmax']), [x], axis=axis)


def fixed(g, x):
    """Operators on fixed tensors alone, whose mean then joins x."""
    names = list(g.inputs)
    c = g.tensor(g.weights(*[g.whole(1, 4) for _ in range(g.whole(2, 4))]))
    g.inputs, values = [c], g.values
    g.values = [c]
    try:
        y = c
        for _ in range(g.whole(1, 3)):
            y = g.pick([m for m in MAKERS if m not in (fixed, joined)])(g, y)
            g.values.append(y)
    finally:
        g.inputs, g.values = names, values
    if g.shape[y]:
        y = g.axes('ReduceMean', y, list(range(len(g.shape[y]))), 18, keepdims=0)
    return g.add('Add', [x, y])


def joined(g, x):
    """Sizes and ranges computed from x; casts; what only old or new opsets have."""
    kind, s = g.whole(0, 5), g.shape[x]
    if not s:
        raise Skip('number')
    if kind == 0 and g.opset >= 11:
        n = g.add('Gather', [g.add('Shape', [x]), g.tensor(np.int64(-1))], axis=0)
        steps = g.add('Cast', [g.add('Range', [g.tensor(np.int64(0)), n, g.tensor(np.int64(1))])], to=TensorProto.FLOAT)
        return g.add('Add', [x, g.add('Mul', [steps, g.tensor(np.float32(0.1))])])
    if kind == 1:
        size = g.add('Cast', [g.add('Size', [x])], to=TensorProto.FLOAT)
        return g.add('Div', [x, g.add('Sqrt', [size])])
    if kind == 2 and g.opset < 10 and len(s) == 4:
        return g.add('Upsample', [x, g.tensor(np.array([1, 1, 2, 3], np.float32))], mode=g.pick(['nearest', 'linear']))
    if kind == 3:
        return g.add('Cast', [g.add('Cast', [inner(g)], to=TensorProto.INT64)], to=TensorProto.FLOAT)
    if kind == 4:
        return g.add('Tan', [g.add('Tanh', [x])])
    if kind == 5 and len(s) >= 3 and g.opset >= 21:
        c = s[1]
        groups = g.pick([d for d in range(1, c + 1) if c % d == 0])
        if np.prod(s[1:]) / groups >= 4:
            return g.add('GroupNormalization', [x, g.tensor(g.weights(c)), g.tensor(g.weights(c))], num_groups=groups)
    return g.add('Dropout', [x])


MAKERS = [unary, unary, unary, jump, positive, binary, binary, binary, clip, prelu, gemm, gemm, matmul, matmul, einsum, attention, reshape, squeeze, transpose, concat, concat, split, slices, gather,
          pad, tile, matrices, reduce, reduce, softmax, norms, norms, conv, conv, conv, conv_transpose, pool, pool, resize, resize, fixed, joined, joined]


def random_model(seed):
    rng = np.random.default_rng(seed)
    g = Graph(rng)
    rank = g.pick([2, 2, 3, 3, 4, 4, 4, 5])
    dims = [g.whole(1, 3), g.whole(1, 8)] + [g.whole(3, 9) if rank < 5 else g.whole(2, 5) for _ in range(rank - 2)]
    x = g.input(dims)
    g.values = [x]
    if g.chance(0.3):
        g.values.append(g.input(dims))
    length, tries = g.whole(2, 14), 0
    while len(g.ops) < length and tries < 80:
        tries += 1
        keep, ops, tensors = len(g.nodes), len(g.ops), len(g.tensors)
        try:
            x = g.pick(MAKERS)(g, g.values[-1] if g.chance(0.8) else g.pick(g.values))
            g.values.append(x)
        except (Skip, ValueError): # an operator that has nothing to act on
            del g.nodes[keep:], g.ops[ops:], g.tensors[tensors:]
    if len(g.values) < 2 or g.values[-1] in g.inputs:
        return None
    outputs = [g.values[-1]]
    if g.chance(0.3):
        extra = g.pick(g.values)
        if extra not in outputs and extra not in g.inputs:
            outputs.append(extra)
    used = {i for n in g.nodes for i in n.input} | set(outputs)
    g.inputs = [i for i in g.inputs if i in used]
    if not g.inputs:
        return None
    model = onnx.shape_inference.infer_shapes(g.model(outputs, typed=True))
    return model, sorted(set(g.ops)), {f'x{i}': rng.standard_normal(g.shape[n]).astype(np.float32) for i, n in enumerate(g.inputs)}
