#!/usr/bin/env python3
"""Times training steps of FastConvMAE-Base in PyTorch and in this program, alternating.

Run by hand on an otherwise idle machine; needs only a Python with torch (pip install torch==2.11.0):
    python3 scripts/pytorch_step.py [--batch 8] [--precision fp32|bf16] [--steps 3] [--keep-memory] [--json]
The PyTorch network is the published one: images as NCHW maps, one masked depthwise pass per view, gathers and a rolled
unshuffle for the decoder, attention with its scores in memory, autocast instead of casts, fused AdamW. Pixels are
random. After each step in PyTorch the program runs two steps in a process of its own (`bench step --implementation
fast`); the first warms up. --keep-memory: malloc keeps the memory that PyTorch frees, as this program's malloc does. By
default malloc returns it to the system in every step and gets it back zeroed. Variables that limit the libraries to a
CPU class (scripts/test-as.sh: FASTCONVMAE_ISA, ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA, ...) apply to both programs.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import torch
from torch import nn

PARAMETERS = 114_790_528  # as published
VIEWS, PATCHES, SIDE = 4, 196, 14
KEPT = PATCHES // VIEWS
KEEP = {name: str(16 << 30) for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")}


class ChannelNorm(nn.LayerNorm):  # normalises the channels of maps [N, C, H, W]
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PatchEmbed(nn.Module):
    def __init__(self, channels, dim, stride):
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, stride, stride)
        self.norm = ChannelNorm(dim)

    def forward(self, x):
        return nn.functional.gelu(self.norm(self.proj(x)))


class ConvBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(dim), ChannelNorm(dim)
        self.conv1, self.conv2 = nn.Conv2d(dim, dim, 1), nn.Conv2d(dim, dim, 1)
        self.attn = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.mlp = nn.Sequential(nn.Conv2d(dim, 4 * dim, 1), nn.GELU(), nn.Conv2d(4 * dim, dim, 1))

    def forward(self, x, visible_maps):
        branch = self.conv1(self.norm1(x))
        branch = sum(m * self.attn(m * branch) for m in visible_maps)
        x = x + self.conv2(branch)
        return x + self.mlp(self.norm2(x))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, 1e-6), nn.LayerNorm(dim, 1e-6)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def attention(self, x):
        rows, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(rows, tokens, 3, self.heads, dim // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q @ k.transpose(-2, -1) * (dim // self.heads) ** -0.5).softmax(-1)
        return self.proj((scores @ v).transpose(1, 2).reshape(rows, tokens, dim))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class FastConvMae(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed1, self.embed2, self.embed3 = PatchEmbed(3, 256, 4), PatchEmbed(256, 384, 2), PatchEmbed(384, 768, 2)
        self.embed4 = nn.Linear(768, 768)
        self.fuse1, self.fuse2 = nn.Conv2d(256, 768, 4, 4), nn.Conv2d(384, 768, 2, 2)
        self.blocks1 = nn.ModuleList(ConvBlock(256) for _ in range(2))
        self.blocks2 = nn.ModuleList(ConvBlock(384) for _ in range(2))
        self.blocks3 = nn.Sequential(*(Block(768, 12) for _ in range(11)))
        self.norm, self.decoder_norm = nn.LayerNorm(768, 1e-6), nn.LayerNorm(512, 1e-6)
        self.decoder_embed, self.decoder_pred = nn.Linear(768, 512), nn.Linear(512, 768)
        self.decoder_blocks = nn.Sequential(*(Block(512, 16) for _ in range(8)))
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, 512))
        self.register_buffer("positions", torch.randn(1, PATCHES, 768))
        self.register_buffer("decoder_positions", torch.randn(1, PATCHES, 512))

    def encode(self, images, shuffle, masks):
        def maps(cells):
            small = [(1 - mask).reshape(-1, 1, SIDE, SIDE) for mask in masks]
            return [m.repeat_interleave(cells, 2).repeat_interleave(cells, 3) for m in small]

        def gather(tokens):
            ids = [part[..., None].expand(-1, -1, tokens.shape[2]) for part in shuffle.split(KEPT, 1)]
            return torch.cat([tokens.gather(1, part) for part in ids])

        x = self.embed1(images)
        for block in self.blocks1:
            x = block(x, maps(4))
        fused1 = self.fuse1(x).flatten(2).transpose(1, 2)
        x = self.embed2(x)
        for block in self.blocks2:
            x = block(x, maps(2))
        fused2 = self.fuse2(x).flatten(2).transpose(1, 2)
        tokens = self.embed4(self.embed3(x).flatten(2).transpose(1, 2)) + self.positions
        x = self.blocks3(gather(tokens))
        return self.norm(x + gather(fused1) + gather(fused2))

    def decode(self, latent, restore):
        x = self.decoder_embed(latent)
        x = torch.cat([x, self.mask_token.expand(len(x), PATCHES - KEPT, -1)], 1)
        x = torch.cat([view.roll(KEPT * i, 1) for i, view in enumerate(x.chunk(VIEWS))])
        x = x.gather(1, restore.repeat(VIEWS, 1)[..., None].expand(-1, -1, x.shape[2]))
        return self.decoder_pred(self.decoder_norm(self.decoder_blocks(x + self.decoder_positions)))

    def forward(self, images):
        shuffle = torch.rand(len(images), PATCHES).argsort(1)
        restore = shuffle.argsort(1)
        masks = [1 - (restore // KEPT == view).float() for view in range(VIEWS)]
        predictions = self.decode(self.encode(images, shuffle, masks), restore)
        target = images.reshape(-1, 3, SIDE, 16, SIDE, 16).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        target = (target - target.mean(-1, True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
        mask = torch.cat(masks)
        error = (predictions - target.repeat(VIEWS, 1, 1)).pow(2).mean(-1)
        return (error * mask).sum() / mask.sum()


class PyTorch:
    def __init__(self, batch, precision):
        torch.manual_seed(0)
        self.model, self.bf16 = FastConvMae(), precision == "bf16"
        count = sum(p.numel() for p in self.model.parameters())
        if count != PARAMETERS:
            sys.exit(f"the network here has {count} parameters, the published one {PARAMETERS}")
        self.images = torch.rand(batch, 3, 224, 224)
        self.adamw = torch.optim.AdamW(
            self.model.parameters(), lr=1e-6, betas=(0.9, 0.95), weight_decay=0.05, fused=True)

    def step(self):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = self.model(self.images)
        loss.backward()
        self.adamw.step()
        self.adamw.zero_grad()
        if not loss.isfinite():
            sys.exit(f"PyTorch's loss is {loss.item()}")
        return time.perf_counter() - start


def run(program, *words):
    environment = {name: value for name, value in os.environ.items() if name not in KEEP}
    return json.loads(subprocess.run([program, *words, "--json", "--quiet"], env=environment, check=True,
                                     stdout=subprocess.PIPE).stdout)


def program_step(options):
    result = run(options.program, "bench", "step", "--recipe", "fastconvmae_base_in1k_50ep", "--batch",
                 str(options.batch), "--precision", options.precision, "--implementation", "fast", "--steps", "1")
    if result["parameters"] != PARAMETERS:
        sys.exit(f"the program's network has {result['parameters']} parameters, the published one {PARAMETERS}")
    return result["implementations"]["fast"]["seconds_per_step"]["median"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    arguments.add_argument("--steps", type=int, default=3)
    arguments.add_argument("--keep-memory", action="store_true")
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--program", default=pathlib.Path(__file__).parent.parent / "build/bin/fastconvmae")
    options = arguments.parse_args()
    if options.keep_memory and not all(os.environ.get(name) == value for name, value in KEEP.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP)  # malloc reads them only at its start
    pytorch = PyTorch(options.batch, options.precision)
    pytorch.step()  # warms up
    seconds = {"pytorch": [], "program": []}
    for _ in range(options.steps):
        seconds["pytorch"].append(pytorch.step())
        seconds["program"].append(program_step(options))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    result = {"seconds": seconds, "median": median, "ratio": median["pytorch"] / median["program"],
              "batch": options.batch, "precision": options.precision, "keep_memory": options.keep_memory,
              "parameters": PARAMETERS, "threads": torch.get_num_threads(), "torch": torch.__version__,
              "revision": run(options.program, "--version")["revision"]}
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, values in seconds.items():
        print(f"{name:8} {' '.join(f'{value:.2f}' for value in values)}  median {median[name]:.2f} s")
    print(f"PyTorch {result['torch']} takes {result['ratio']:.2f} times as long as the program, revision {result['revision']}")


if __name__ == "__main__":
    main()
