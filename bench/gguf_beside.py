#!/usr/bin/env python3
"""Number formats of GGUF beside the `gguf` package (needs it and numpy): decoding of random blocks and encoding of random weights, bit for bit, of every type
that nigh/quant.h lists; then every tensor of the files given, name by name.
usage: bench/gguf_beside.py [--library build/libnigh.so] [FILE.gguf ...]"""
import argparse
import ctypes
import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader
from gguf import quants

DECODED = "F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL".split()
ENCODED = "F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1".split()
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208], "IQ4_NL": [0]}


class Tensor(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int), ("ndim", ctypes.c_int), ("shape", ctypes.c_int64 * 4), ("data", ctypes.c_void_p),
                ("bytes", ctypes.c_size_t)]


def load(path):
    lib = ctypes.CDLL(path)
    lib.nigh_block_length.restype = ctypes.c_int64
    lib.nigh_block_bytes.restype = ctypes.c_size_t
    lib.nigh_message.restype = ctypes.c_char_p
    lib.nigh_gguf_find.restype = ctypes.POINTER(Tensor)
    lib.nigh_gguf_tensor_count.restype = ctypes.c_int64
    lib.nigh_block_decode.restype = None
    return lib


def decode(lib, type_number, data, n):
    out = np.empty(n, np.float32)
    lib.nigh_block_decode(type_number, ctypes.c_void_p(data), ctypes.c_int64(n), out.ctypes.data_as(ctypes.c_void_p))
    return out


def same(ours, theirs):
    """Differences in the last place come from the order of two roundings; anything more is a difference."""
    theirs = np.ascontiguousarray(theirs, np.float32).ravel()
    bits = np.count_nonzero(ours.view(np.uint32) != theirs.view(np.uint32))
    size = np.maximum(np.abs(theirs), 1e-30)
    worst = float(np.max(np.abs(ours.astype(np.float64) - theirs) / size)) if bits else 0.0
    return bits, worst


def random_blocks(lib, name, count, rng):
    number = GGMLQuantizationType[name].value
    size = lib.nigh_block_bytes(number)
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    if name == "F16":
        return rng.normal(size=count).astype(np.float16).view(np.uint8).reshape(count, 2)
    if name == "BF16":
        return (rng.normal(size=count).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8).reshape(count, 2)
    for at in SCALES[name]:
        blocks[:, at:at + 2] = rng.normal(size=count).astype(np.float16).view(np.uint8).reshape(count, 2)
    return blocks


def check_types(lib, context):
    rng = np.random.default_rng(1)
    bad = 0
    for name in DECODED:
        kind = GGMLQuantizationType[name]
        blocks = random_blocks(lib, name, 4000, rng)
        n = blocks.shape[0] * lib.nigh_block_length(kind.value)
        bits, worst = same(decode(lib, kind.value, blocks.ctypes.data, n), quants.dequantize(blocks, kind))
        bad += worst > 1e-5
        print(f"decode {name:7s} {n:8d} numbers, {bits} of other bits, largest relative difference {worst:.1e}")
    for name in ENCODED:
        kind = GGMLQuantizationType[name]
        weights = (rng.normal(size=(400, 256)) * np.exp(rng.normal(size=(400, 1)))).astype(np.float32)
        weights[3] = 0
        weights[4] = 1.5
        theirs = np.ascontiguousarray(quants.quantize(weights, kind)).view(np.uint8).ravel()
        ours = np.zeros_like(theirs)
        status = lib.nigh_block_encode(context, kind.value, weights.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(weights.size),
                                       ours.ctypes.data_as(ctypes.c_void_p))
        different = int(np.count_nonzero(ours != theirs))
        bad += status != 0 or different > 0
        print(f"encode {name:7s} {weights.size:8d} numbers, status {status}, {different} of {theirs.size} bytes differ")
    return bad


def check_file(lib, context, path):
    file = ctypes.c_void_p()
    if lib.nigh_gguf_open(context, path.encode(), ctypes.byref(file)):
        print(lib.nigh_message(context).decode())
        return 1
    reader = GGUFReader(path)
    bad, most = int(lib.nigh_gguf_tensor_count(file) != len(reader.tensors)), 0.0
    for tensor in reader.tensors:
        found = lib.nigh_gguf_find(file, tensor.name.encode())
        if not found or list(found.contents.shape)[:found.contents.ndim] != [int(n) for n in tensor.shape] or found.contents.type != tensor.tensor_type:
            print(f"{tensor.name}: other shape or type")
            bad += 1
            continue
        n = int(np.prod(tensor.shape))
        _, worst = same(decode(lib, found.contents.type, found.contents.data, n), quants.dequantize(tensor.data, tensor.tensor_type))
        most = max(most, worst)
    lib.nigh_gguf_close(file)
    print(f"{path}: {len(reader.tensors)} tensors, largest relative difference {most:.1e}")
    return bad + (most > 1e-5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", default="build/libnigh.so")
    parser.add_argument("files", nargs="*")
    given = parser.parse_args()
    lib = load(given.library)
    context = ctypes.c_void_p()
    lib.nigh_context_new(ctypes.byref(context))
    bad = check_types(lib, context) + sum(check_file(lib, context, path) for path in given.files)
    sys.exit(1 if bad else 0)


main()
