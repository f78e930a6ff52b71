"""Writes a small checkpoint with torch.save, as the upstream programs do: model, optimizer, epoch, scaler and args.
The model has ConvMAE's tensor names. The optimizer is PyTorch's AdamW after three steps with random gradients; its two
parameter groups are timm's: without weight decay, then with it.

    published_run.py CHECKPOINT
"""
import argparse
import collections
import pathlib
import sys

import torch


def affine(weight):
    return {".weight": weight, ".bias": [weight[0]]}


def block(dim, hidden, convolution):
    one = [1, 1] if convolution else []
    inner = {".norm1": [dim]}
    if convolution:
        inner |= {".conv1": [dim, dim, 1, 1], ".conv2": [dim, dim, 1, 1], ".attn": [dim, 1, 5, 5]}
    else:
        inner |= {".attn.qkv": [3 * dim, dim], ".attn.proj": [dim, dim]}
    return inner | {".norm2": [dim], ".mlp.fc1": [hidden, dim] + one, ".mlp.fc2": [dim, hidden] + one}


def shapes(dims, depths, decoder, side):
    """Names and shapes in the upstream model's order of registration, for images of 32 pixels and strides of 2."""
    yield "pos_embed", [1, side * side, dims[2]]
    yield "mask_token", [1, 1, decoder]
    yield "decoder_pos_embed", [1, side * side, decoder]
    modules = {}
    for stage, (before, dim) in enumerate(zip([3] + dims[:2], dims), 1):
        modules[f"patch_embed{stage}.proj"] = [dim, before, 2, 2]
        modules[f"patch_embed{stage}.norm"] = [dim]
    modules["patch_embed4"] = [dims[2], dims[2]]
    modules["stage1_output_decode"] = [dims[2], dims[0], 4, 4]
    modules["stage2_output_decode"] = [dims[2], dims[1], 2, 2]
    for stage in range(3):
        for index in range(depths[stage]):
            for name, shape in block(dims[stage], 2 * dims[stage], stage < 2).items():
                modules[f"blocks{stage + 1}.{index}{name}"] = shape
    modules["norm"] = [dims[2]]
    modules["decoder_embed"] = [decoder, dims[2]]
    for name, shape in block(decoder, 2 * decoder, False).items():
        modules[f"decoder_blocks.0{name}"] = shape
    modules["decoder_norm"] = [decoder]
    modules["decoder_pred"] = [8 * 8 * 3, decoder]
    for module, weight in modules.items():
        for leaf, shape in affine(weight).items():
            yield module + leaf, shape


def main():
    torch.manual_seed(7)
    model = collections.OrderedDict()
    for name, shape in shapes([8, 12, 16], [1, 1, 1], 16, 4):
        start = torch.randn(shape) * 0.1 + (1 if "norm" in name and name.endswith("weight") else 0)
        model[name] = torch.nn.Parameter(start, requires_grad=not name.endswith("pos_embed"))
    trained = [(name, value) for name, value in model.items() if value.requires_grad]
    plain = [value for name, value in trained if value.ndim == 1 or name.endswith(".bias")]
    decayed = [value for name, value in trained if not (value.ndim == 1 or name.endswith(".bias"))]
    optimizer = torch.optim.AdamW(
        [{"params": plain, "weight_decay": 0.0}, {"params": decayed, "weight_decay": 0.05}], lr=1e-3, betas=(0.9, 0.95))
    for _ in range(3):
        for _, value in trained:
            value.grad = torch.randn_like(value) * 0.01
        optimizer.step()
    args = argparse.Namespace(batch_size=4, epochs=50, accum_iter=1, model="fastconvmae_convvit_base_patch16",
                              mask_ratio=0.75, norm_pix_loss=True, weight_decay=0.05, lr=1e-3, blr=None, min_lr=0.0,
                              warmup_epochs=10, seed=0, output_dir=pathlib.Path("output_dir"), world_size=1)
    state = collections.OrderedDict((name, value.detach()) for name, value in model.items())
    torch.save({"model": state, "optimizer": optimizer.state_dict(), "epoch": 0, "args": args,
                "scaler": {"scale": 32768.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000,
                           "_growth_tracker": 3}}, sys.argv[1])


main()
