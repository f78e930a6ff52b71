"""Checks that PyTorch reads from a written .pth file exactly the bits of a native checkpoint, and that an optimizer
can resume from it.

    compare.py WRITTEN.pth STEP_FOLDER STEPS EPOCH
"""
import json
import pathlib
import struct
import sys

import torch


def read_safetensors(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", entry
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32).reshape(entry["shape"])
    return tensors


def same_bits(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(
        one.contiguous().view(torch.int32), other.contiguous().view(torch.int32))


def main():
    written, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    steps, epoch = int(sys.argv[3]), int(sys.argv[4])
    file = torch.load(written, weights_only=True)
    model, moments = read_safetensors(folder / "model.safetensors"), read_safetensors(folder / "optimizer.safetensors")
    assert set(file["model"]) == set(model)
    assert all(same_bits(file["model"][name], model[name]) for name in model)
    assert file["epoch"] == epoch, file["epoch"]
    assert file["scaler"]["_growth_tracker"] == 3 and file["scaler"]["scale"] == 32768.0, file["scaler"]

    # The optimizer of the upstream program: parameters in the order of the state_dict, in timm's two groups.
    values = {name: torch.nn.Parameter(value.clone()) for name, value in file["model"].items()
              if not name.endswith("pos_embed")}
    plain = [name for name, value in values.items() if value.ndim == 1 or name.endswith(".bias")]
    decayed = [name for name in values if name not in plain]
    optimizer = torch.optim.AdamW([{"params": [values[name] for name in plain], "weight_decay": 0.0},
                                   {"params": [values[name] for name in decayed], "weight_decay": 0.05}],
                                  lr=1e-3, betas=(0.9, 0.95))
    optimizer.load_state_dict(file["optimizer"])
    for name, value in values.items():
        state = optimizer.state[value]
        assert state["step"] == steps, (name, state["step"])
        assert same_bits(state["exp_avg"], moments["exp_avg." + name]), name
        assert same_bits(state["exp_avg_sq"], moments["exp_avg_sq." + name]), name
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.0, 0.05]
    for value in values.values():
        value.grad = torch.zeros_like(value)
    optimizer.step()
    assert all(optimizer.state[value]["step"] == steps + 1 for value in values.values())  # each parameter has its own step count
    print("equal")


main()
