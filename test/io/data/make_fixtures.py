#!/usr/bin/env python3
"""Writes the fixtures of this folder with NumPy and the safetensors package: python3 make_fixtures.py [FOLDER]"""
import gzip
import os
import struct
import sys
import zipfile

import numpy as np
from numpy.lib import format as npy
from safetensors.numpy import save_file

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(folder, name)


def ramp(dtype, shape):
    """Element i is i - 3 (wrapped), for complex i - 3 + i*1j, for bool i % 3 == 0."""
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    if dtype == "b1":
        return (i % 3 == 0).reshape(shape)
    if dtype[-3:] == "c16" or dtype[-2:] == "c8":
        return (i - 3 + 1j * i).astype(dtype).reshape(shape)
    return (i - 3).astype(dtype).reshape(shape)


types = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", "c8", "c16"]
for t in types:
    np.save(path(f"{t}.npy"), ramp(t, (3, 4)))
for t in ["f8", "i4", "u2", "c8"]:
    np.save(path(f"big_{t}.npy"), ramp(">" + t, (3, 4)))
np.save(path("fortran.npy"), np.asfortranarray(ramp("f4", (2, 3, 4))))
np.save(path("scalar.npy"), np.float64(2.5))
np.save(path("vector.npy"), ramp("f8", (5,)))
np.save(path("empty.npy"), np.zeros((0, 3)))
for version in [(2, 0), (3, 0)]:
    with open(path(f"version{version[0]}.npy"), "wb") as f:
        npy.write_array(f, ramp("f8", (2, 2)), version=version)
np.save(path("object.npy"), np.array([{}, 1], dtype=object), allow_pickle=True)
np.save(path("text.npy"), np.array(["one", "three"]))
np.save(path("struct.npy"), np.zeros(2, dtype=[("x", "f8"), ("y", "i4")]))
np.save(path("date.npy"), np.array(["2020-01-01"], dtype="M8[D]"))
np.save(path("nine.npy"), np.zeros((1,) * 9))

arrays = {"inputs": ramp("f8", (4, 3)), "outputs": ramp("f4", (4, 2)), "deep/label": ramp("i4", (4,)), "none": np.zeros((0,))}
np.savez(path("stored.npz"), **arrays)
np.savez_compressed(path("deflated.npz"), inputs=np.tile(ramp("f8", (4, 3)), (20, 1)), flag=np.array([True, False]))
np.savez(path("one.npz"), only=ramp("f8", (2, 2)))


class Pipe:
    """A target that cannot seek: zipfile then writes data descriptors."""

    def __init__(self, name):
        self.file = open(name, "wb")

    def write(self, data):
        return self.file.write(data)

    def flush(self):
        self.file.flush()


pipe = Pipe(path("streamed.npz"))
with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as z:
    for name, array in arrays.items():
        with z.open(name + ".npy", "w", force_zip64=name == "inputs") as f:
            npy.write_array(f, array)
    z.comment = b"a comment"
pipe.file.close()
with zipfile.ZipFile(path("bzip2.npz"), "w", zipfile.ZIP_BZIP2) as z:
    with z.open("a.npy", "w") as f:
        npy.write_array(f, ramp("f8", (2,)))

names = {"f8": "f64", "f4": "f32", "f2": "f16", "i8": "i64", "i4": "i32", "i2": "i16", "i1": "i8", "u8": "u64", "u4": "u32",
         "u2": "u16", "u1": "u8", "b1": "bool", "c8": "c64"}
save_file({names[t]: ramp(t, (3, 4)) for t in names} | {"scalar": np.array(2.5), "empty": np.zeros((0, 2), np.float32)},
          path("all.safetensors"), metadata={"made by": "safetensors", "quote": "\"\u00e9\""})
# bfloat16, which NumPy lacks: 1.0, -2.0
header = b'{"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
with open(path("bf16.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(header)) + header + struct.pack("<HH", 0x3F80, 0xC000))
header = b'{"b":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'
with open(path("f8.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(header)) + header + b"\0\0")

rng = np.random.default_rng(1)
table = rng.standard_normal((20, 3)) * 10.0 ** rng.integers(-300, 300, (20, 3))
np.savetxt(path("numpy.csv"), table, fmt="%.17g", delimiter=",", header="x,y,z", comments="")
np.save(path("numpy_csv.npy"), table)
with open(path("numpy.csv"), "rb") as f, open(path("numpy.csv.gz"), "wb") as out:
    text = f.read()
    half = len(text) // 2  # two gzip members
    out.write(gzip.compress(text[:half], mtime=0) + gzip.compress(text[half:], mtime=0))
