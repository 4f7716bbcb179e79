"""Asks a model over the Open Inference Protocol by Triton's client and compares with what its manifest says is right."""

import json
import sys
import time

import numpy
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

address, key, model, manifest = sys.argv[1:]
manifest = json.load(open(manifest))
headers = {"Authorization": f"Bearer {key}"}
client = http.InferenceServerClient(address)

assert client.is_server_live()
for _ in range(300):
    if client.is_server_ready():
        break
    time.sleep(0.1)
assert client.is_model_ready(model, headers=headers)
told = client.get_model_metadata(model, headers=headers)
assert told["versions"] == ["1"], told
datatypes = {port["name"]: port["datatype"] for port in told["inputs"]}
answers = {True: 0, False: 0}


def array(it):
    return numpy.array(it["values"], it["element"]).reshape(it["shape"])


for parity in manifest["parity"]:
    for as_bytes in (True, False):
        inputs = []
        for name, tensor in parity["inputs"].items():
            x = array(tensor)
            if not as_bytes and x.dtype.kind == "f" and not numpy.isfinite(x).all():
                # JSON has no such numbers, and this client writes none for them.
                break
            one = http.InferInput(name, list(x.shape), datatypes[name])
            one.set_data_from_numpy(x, binary_data=as_bytes)
            inputs.append(one)
        else:
            outputs = [http.InferRequestedOutput(name, binary_data=as_bytes) for name in parity["outputs"]]
            # The client writes into the headers that it is given.
            answer = client.infer(model, inputs, outputs=outputs, request_id="7", headers=dict(headers))
            said = answer.get_response()
            assert (said["model_name"], said["model_version"], said["id"]) == (model, "1", "7"), said
            for name, tensor in parity["outputs"].items():
                expected, got = array(tensor), answer.as_numpy(name)
                assert expected.shape == got.shape and expected.dtype == got.dtype, (name, got)
                scale = numpy.maximum(1.0, abs(expected))
                assert (abs(got - expected) <= parity["tolerance"] * scale).all(), (name, got, expected)
                answers[as_bytes] += 1

try:
    client.get_model_metadata("nobody", headers=headers)
    raise SystemExit("a model that is not there was told of")
except InferenceServerException as error:
    assert "no model is called" in error.message(), error.message()
try:
    client.get_model_metadata(model)
    raise SystemExit("a model was told of to somebody without a key")
except InferenceServerException as error:
    assert "send Authorization" in error.message(), error.message()
assert all(answers.values()), f"by bytes and by JSON were asked {answers}"
print(sum(answers.values()))
