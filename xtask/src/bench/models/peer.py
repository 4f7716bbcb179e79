"""The same forest by scikit-learn, and its file by skl2onnx, on one thread: one line of JSON."""

import json
import sys
import time

sys.path.insert(0, sys.argv[1])

import numpy
import onnxruntime
from skl2onnx import to_onnx
from sklearn import __version__
from sklearn.ensemble import IsolationForest

ROWS, FEATURES, BATCH = 100_000, 30, 4096


def best(times, what):
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        what()
        took.append(time.perf_counter() - begun)
    return sorted(took)[times // 2]


table = numpy.random.default_rng(1).normal(size=(ROWS, FEATURES))
forest = IsolationForest(n_estimators=100, max_samples=256, n_jobs=1, random_state=0)
fit = best(5, lambda: forest.fit(table))
score = best(5, lambda: forest.score_samples(table))
single = table[:BATCH].astype(numpy.float32)
file = to_onnx(forest, single, target_opset={"": 15, "ai.onnx.ml": 3}).SerializeToString()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1


def load():
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


name = load().get_inputs()[0].name
session = load()
print(
    json.dumps(
        {
            "version": __version__,
            "fit_ms": fit * 1e3,
            "rows_s": ROWS / score,
            "load_ms": best(5, load) * 1e3,
            "p50_us": best(3000, lambda: session.run(None, {name: single[:1]})) * 1e6,
            "batch_rows_s": BATCH / best(20, lambda: session.run(None, {name: single})),
        }
    )
)
