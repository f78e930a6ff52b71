"""Compares onnxruntime's outputs of an ONNX file with those of the program's own model for the same pixels.

    compare_onnx.py MODEL.onnx OUTPUTS.safetensors

build/bin/model_outputs writes the second file. Each output may differ by 2e-5 of its largest value; in a segmentation
map one pixel in a thousand may differ, where two logits are equal up to rounding. The model passes onnx.checker. It
runs with both images, with one image, and with a planted error (the columns of its last weight shifted by one), which
must be detected.
"""
import json
import pathlib
import struct
import sys

import numpy
import onnx
import onnxruntime

TOLERANCE = 2e-5
TYPES = {"F32": numpy.float32, "I64": numpy.int64}


def read_safetensors(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = numpy.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def run(model, pixels):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"pixels": pixels})))


def difference(got, wanted):
    assert got.shape == wanted.shape and got.dtype == wanted.dtype, (got.shape, wanted.shape, got.dtype)
    if got.dtype == numpy.int64:
        return float((got != wanted).mean()) * TOLERANCE / 1e-3
    return float(numpy.abs(got - wanted).max() / numpy.abs(wanted).max())


def worst(got, wanted):
    assert got.keys() == wanted.keys(), (got.keys(), wanted.keys())
    return max(difference(got[name], wanted[name]) for name in wanted)


def with_error(path):
    model = onnx.load(path)
    weights = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) > 1 and "/" not in tensor.name}
    last = next(weights[name] for node in reversed(model.graph.node) for name in node.input if name in weights)
    values = numpy.roll(onnx.numpy_helper.to_array(last), 1, axis=-1 if last.dims[-1] > 1 else 1)
    last.CopyFrom(onnx.numpy_helper.from_array(values, last.name))
    return model.SerializeToString()


def main():
    path = pathlib.Path(sys.argv[1])
    outputs = read_safetensors(pathlib.Path(sys.argv[2]))
    pixels = outputs.pop("pixels")
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path, load_external_data=False)
    assert {entry.key for entry in model.metadata_props} >= {"revision", "recipe", "mean", "std"}, model.metadata_props
    found = worst(run(str(path), pixels), outputs)
    single = worst(run(str(path), pixels[:1]), {name: value[:1] for name, value in outputs.items()})
    planted = worst(run(with_error(path), pixels), outputs)
    print(f"{path.name}: {len(model.graph.node)} nodes, {len(outputs)} outputs: largest difference {found:.1e}, "
          f"of one picture {single:.1e}, with a planted error {planted:.1e}")
    assert found < TOLERANCE and single < TOLERANCE, "onnxruntime computes something else"
    assert planted > TOLERANCE, "a planted error is not seen"


if __name__ == "__main__":
    main()
