"""Replays what verify_sound left: every "sat" in onnxruntime. usage: verify_replay.py FOLDER.replay"""
import pathlib
import sys

import numpy as np
import onnxruntime

done = bad = 0
for text in sorted(pathlib.Path(sys.argv[1]).glob("*.txt")):
    head, *rest = text.read_text().split("\n", 1)
    o, above, level, other, gap, least = (float(v) for v in head.split())
    session = onnxruntime.InferenceSession(str(text.with_suffix(".onnx")), providers=["CPUExecutionProvider"])
    shape = [d if isinstance(d, int) else 1 for d in session.get_inputs()[0].shape]
    x = np.array(rest[0].split(), dtype=np.float64).astype(np.float32).reshape(shape)
    y = session.run(None, {session.get_inputs()[0].name: x})[0].ravel().astype(np.float64)
    o, other = int(o), int(other)
    one = y[o] >= level if above else y[o] <= level
    hit = one if other < 0 else (one and y[other] >= least) or y[o] - y[other] >= gap
    done += 1
    if not hit:
        bad += 1
        print(f"{text.name}: not violated in onnxruntime: {y}, level {level}")
print(f"{done} points replayed, {bad} not violated")
sys.exit(bad > 0)
