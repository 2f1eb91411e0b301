#!/usr/bin/env python3
"""Round trips between the library and NumPy and the safetensors package: python3 roundtrip.py libnigh.so

What NumPy writes the library reads and writes again, and NumPy must see the same; for every type, shape, byte order and
file format. Exit status: 0 all the same, 1 not, 77 (skipped) when NumPy is missing or the library cannot be loaded into
Python (it is sanitized). Without the safetensors package that part alone is skipped."""
import ctypes
import os
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: NumPy is missing")
    sys.exit(77)
try:
    from safetensors import safe_open
    from safetensors.numpy import save_file
except ImportError:
    save_file = None

MAX_DIMS = 8


class Shape(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("ndim", ctypes.c_int), ("dim", ctypes.c_int64 * MAX_DIMS)]


class Array(ctypes.Structure):
    _fields_ = [("shape", Shape), ("data", ctypes.c_void_p)]


class Bundle(ctypes.Structure):
    _fields_ = [("ctx", ctypes.c_void_p), ("count", ctypes.c_int64), ("items", ctypes.c_void_p), ("metadata", ctypes.c_void_p)]


class Table(ctypes.Structure):
    _fields_ = [("rows", ctypes.c_int64), ("columns", ctypes.c_int64), ("names", ctypes.c_void_p),
                ("values", ctypes.POINTER(ctypes.c_double)), ("had_header", ctypes.c_bool), ("separator", ctypes.c_char)]


try:
    lib = ctypes.CDLL(sys.argv[1])
except OSError as error:
    print(f"skipped: {error}")
    sys.exit(77)
lib.nigh_message.restype = ctypes.c_char_p
lib.nigh_memory_now.restype = ctypes.c_size_t
ctx = ctypes.c_void_p()
assert lib.nigh_context_new(ctypes.byref(ctx)) == 0


def ok(status):
    if status:
        raise AssertionError(lib.nigh_message(ctx).decode())


def path(name):
    return os.path.join(folder.name, name)


def through_npy():
    ok(lib.nigh_npy_read(ctx, path("in").encode(), ctypes.byref(array := Array())))
    ok(lib.nigh_npy_write(ctx, path("out").encode(), ctypes.byref(array)))
    lib.nigh_array_free(ctx, ctypes.byref(array))


def through_bundle(kind, *more):
    bundle = Bundle(ctx=ctx)
    ok(getattr(lib, f"nigh_{kind}_read")(ctx, path("in").encode(), ctypes.byref(bundle)))
    ok(getattr(lib, f"nigh_{kind}_write")(ctx, path("out").encode(), ctypes.byref(bundle), *more))
    lib.nigh_bundle_free(ctypes.byref(bundle))


def same(a, b, what):
    kind = a.dtype.newbyteorder("=")
    assert a.shape == b.shape and kind == b.dtype.newbyteorder("="), (what, a.dtype, a.shape, b.dtype, b.shape)
    assert np.ascontiguousarray(a.astype(kind)).tobytes() == np.ascontiguousarray(b).tobytes(), what


def draw(dtype, shape):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = rng.integers(0, 2 if dtype == "?" else 256, size, dtype=np.uint8).tobytes()
    array = np.frombuffer(raw, dtype).reshape(shape)
    return np.asarray(np.nan_to_num(array)) if array.dtype.kind in "fc" else array


types = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16"]
shapes = [(), (1,), (7,), (0,), (3, 5), (2, 0, 3), (2, 3, 4), (1, 2, 1, 3, 1, 2, 1, 2), (100, 33)]
rng = np.random.default_rng(2)
folder = tempfile.TemporaryDirectory()
checks = 0

for dtype in types:
    for shape in shapes:
        for order in "<>":
            for fortran in (False, True):
                array = draw(dtype, shape).astype(np.dtype(dtype).newbyteorder(order))
                array = np.asfortranarray(array).reshape(shape) if fortran and shape else array
                with open(path("in"), "wb") as file:
                    np.save(file, array)
                through_npy()
                same(array, np.load(path("out")), ("npy", dtype, shape, order, fortran))
                checks += 1

arrays = {f"{t.replace('?', 'bool')}/{i}": draw(t, s) for t in types for i, s in enumerate(shapes)}
for save in (np.savez, np.savez_compressed):
    for level in (0, 1, 6, 9):
        with open(path("in"), "wb") as file:
            save(file, **arrays)
        through_bundle("npz", level)
        with np.load(path("out")) as out:
            assert sorted(out.files) == sorted(arrays)
            for name in arrays:
                same(arrays[name], out[name], ("npz", name, level))
        checks += 1

if save_file:
    tensors = {name: array for name, array in arrays.items() if array.dtype.kind != "c"}
    tensors["\u00e9 \"quoted\"\\"] = draw("f4", (3,))
    metadata = {"format": "np", "\u00e9": "\"\\\n"}
    save_file(tensors, path("in"), metadata=metadata)
    through_bundle("safetensors")
    with safe_open(path("out"), "np") as out:
        assert out.metadata() == metadata and sorted(out.keys()) == sorted(tensors)
        for name in tensors:
            same(tensors[name], out.get_tensor(name), ("safetensors", name))
    checks += 1
else:
    print("safetensors: skipped, the package is missing")

bits = rng.integers(0, 2**63, 6000, dtype=np.uint64) * np.uint64(2) + rng.integers(0, 2, 6000, dtype=np.uint64)
table = np.nan_to_num(bits.view(np.float64), nan=0.5).reshape(2000, 3)
for fmt in ("%.17g", "%.6f", "%.3e", "%.18e"):
    for delimiter in (",", ";", "\t", " ", "|"):
        np.savetxt(path("in"), np.clip(table, -1e15, 1e15) if fmt == "%.6f" else table, fmt=fmt, delimiter=delimiter)
        want = np.loadtxt(path("in"), delimiter=delimiter)
        read = Table()
        ok(lib.nigh_csv_read(ctx, path("in").encode(), None, ctypes.byref(read)))
        assert (read.rows, read.columns, read.separator) == (2000, 3, delimiter.encode())
        same(want, np.ctypeslib.as_array(read.values, (2000, 3)), ("csv read", fmt, delimiter))
        ok(lib.nigh_csv_write(ctx, path("out").encode(), ctypes.byref(read)))
        same(want, np.loadtxt(path("out"), delimiter=delimiter), ("csv write", fmt, delimiter))
        lib.nigh_table_free(ctx, ctypes.byref(read))
        checks += 1

assert lib.nigh_memory_now(ctx) == 0
lib.nigh_context_free(ctx)
print(f"{checks} round trips")
