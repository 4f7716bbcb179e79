"""The same trees by LightGBM: `peer.py PACKAGES FOLDER LOSS THREADS`, one line of JSON."""

import json
import resource
import sys
import time

sys.path.insert(0, sys.argv[1])

import lightgbm
import numpy

folder, loss, threads = sys.argv[2], sys.argv[3], int(sys.argv[4])


def numbers(name):
    return numpy.fromfile(f"{folder}/{name}.f64")


def memory_mib(field):
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) / 1024


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def auc(labels, scores):
    _, place, count = numpy.unique(scores, return_inverse=True, return_counts=True)
    rank = numpy.cumsum(count) - (count - 1) / 2
    ones = labels.sum()
    return (rank[place][labels == 1].sum() - ones * (ones + 1) / 2) / ones / (len(labels) - ones)


rows = numbers("learn_rows").reshape(-1, 30)
targets = numbers(f"learn_{loss}")
settings = {
    "objective": {"logistic": "binary", "squared": "regression"}[loss],
    "num_leaves": 31,
    "learning_rate": 0.1,
    "num_threads": threads,
    "verbosity": -1,
}
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
before = memory_mib("VmRSS:")
begun, cpu = time.perf_counter(), cpu_s()
model = lightgbm.train(settings, lightgbm.Dataset(rows, targets), num_boost_round=200)
wall, cpu = time.perf_counter() - begun, cpu_s() - cpu
extra = memory_mib("VmHWM:") - before
scores = model.predict(numbers("held_out_rows").reshape(-1, 30), raw_score=True)
truth = numbers(f"held_out_{loss}")
quality = auc(truth, scores) if loss == "logistic" else numpy.sqrt(((truth - scores) ** 2).mean())
print(
    json.dumps(
        {
            "version": lightgbm.__version__,
            "loss": loss,
            "wall_s": wall,
            "cpu_s": cpu,
            "extra_mib": extra,
            "quality": float(quality),
        }
    )
)
