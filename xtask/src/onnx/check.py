"""Checks the files of graphs in a folder: the checker of ONNX has nothing to say, and ONNX Runtime and the plain
implementation of ONNX answer what is written beside them.

Argument: the folder. Prints a line for each file; fails at the first that is not as it should be.
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnx.reference
import onnxruntime

# What float arithmetic in another order makes of numbers of ordinary size.
TOLERANCE = 1e-6
# The plain implementation does not look at its thresholds where they are double.
UNKNOWN = "TreeEnsembleRegressor"


def array(told):
    """What JSON tells; its null is a number that is none."""
    data = told["data"]
    if told["type"] != "object":
        data = [float("nan") if number is None else number for number in data]
    return numpy.array(data, dtype=told["type"]).reshape(told["shape"])


def compare(who, found, expected):
    for name, answer in expected.items():
        mine = found[name]
        if mine.shape != answer.shape or mine.dtype != answer.dtype:
            sys.exit(f"error: {who}: {name} is {mine.dtype}{mine.shape}, not {answer.dtype}{answer.shape}")
        if not numpy.allclose(mine, answer, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            sys.exit(f"error: {who}: {name} is {mine.tolist()}, not {answer.tolist()}")


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    beside = json.loads(path.with_suffix(".json").read_text())
    given, expected = ({name: array(told) for name, told in beside[of].items()} for of in ("inputs", "outputs"))
    names = [output.name for output in model.graph.output]
    if sorted(names) != sorted(expected):
        sys.exit(f"error: {path.name} answers {names}, and beside it are {list(expected)}")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    compare(f"ONNX Runtime on {path.name}", dict(zip(names, session.run(names, given))), expected)
    checked = "checker and ONNX Runtime"
    if not any(node.op_type == UNKNOWN for node in model.graph.node):
        plain = onnx.reference.ReferenceEvaluator(model)
        with numpy.errstate(all="ignore"):
            compare(f"onnx.reference on {path.name}", dict(zip(names, plain.run(names, given))), expected)
        checked += " and onnx.reference"
    print(f"  {path.name}: {checked} agree with it")


paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
if not paths:
    sys.exit("error: there is no file of a graph")
for path in paths:
    check(path)
