"""The same model behind FastAPI and ONNX Runtime, on one thread: peer.py PACKAGES MODEL PORT"""

import sys

packages, model, port = sys.argv[1:]
sys.path.insert(0, packages)

import numpy
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
app = FastAPI()


class Input(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Asked(BaseModel):
    inputs: list[Input]


@app.post("/v2/models/{name}/infer")
async def infer(name: str, asked: Asked):
    given = asked.inputs[0]
    rows = numpy.array(given.data, dtype=numpy.float32).reshape(given.shape)
    (score,) = session.run(None, {given.name: rows})
    said = {"name": "score", "datatype": "FP32", "shape": list(score.shape), "data": score.ravel().tolist()}
    return {"model_name": name, "model_version": "1", "outputs": [said]}


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)
