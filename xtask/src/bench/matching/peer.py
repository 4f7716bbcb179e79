"""Vectors by implicit, of the log that match_speed wrote: python3 peer.py PACKAGES FOLDER THREADS prints one line of JSON."""

import json
import os
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"
packages, folder, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, packages)

import implicit
import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy import sparse

EACH, ITEMS, TASTES, JUDGES, K = 20, 5, 40, 25, 10
learn, held_out = (np.fromfile(f"{folder}/{name}.u32", "<u4").reshape(-1, 2) for name in ("learn", "held_out"))
users = max((len(learn) + len(held_out)) // EACH, 2)
items = -(-(users // ITEMS) // TASTES) * TASTES


def table(pairs):
    pairs = np.unique(pairs, axis=0)
    # A confidence of two where ours counts one more than none.
    return sparse.csr_matrix((np.full(len(pairs), 2.0, np.float32), (pairs[:, 0], pairs[:, 1])), (users, items))


known, asked = table(learn), table(held_out)
model = AlternatingLeastSquares(
    factors=64, regularization=0.01, alpha=1.0, iterations=15, num_threads=threads, random_state=7
)
wall, cpu = time.perf_counter(), time.process_time()
model.fit(known, show_progress=False)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu

gains = 1.0 / np.log2(np.arange(K) + 2.0)
ndcg = []
for user in range(0, users, JUDGES):
    mine = known[user].indices
    relevant = np.setdiff1d(asked[user].indices, mine)
    if len(relevant) == 0:
        continue
    scores = model.item_factors @ model.user_factors[user]
    scores[mine] = -np.inf
    best = np.argsort(-scores, kind="stable")[:K]
    ndcg.append(gains[np.isin(best, relevant)].sum() / gains[: len(relevant)].sum())
print(json.dumps({
    "what": "als", "wall_s": wall, "cpu_s": cpu, "ndcg": float(np.mean(ndcg)), "users": users, "items": items,
    "pairs": int(known.nnz), "version": implicit.__version__,
}))
