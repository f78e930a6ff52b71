"""Seconds of a training step of the published FastConvMAE-Base in PyTorch, to hold the in-tree reference against.

By hand, never by a build or a test; needs torch alone:
    python3 scripts/published_step.py [--batch 8] [--precision fp32|bf16] [--steps 3] [--beside build/bin/fastconvmae]
With --beside, a step of that program's reference (bench step, in a process of its own) follows each of PyTorch's.
The network as published, in its own form: images as NCHW maps, one masked depthwise pass per view, gathers and a
rolled unshuffle for the decoder, attention with its scores in memory, autocast instead of casts, AdamW. Random pixels.
"""

import argparse
import json
import statistics
import subprocess
import time

import torch
from torch import nn

VIEWS, PATCHES, SIDE = 4, 196, 14
KEPT = PATCHES // VIEWS


class ChannelNorm(nn.LayerNorm):  # of maps [N, C, H, W]
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


def reference_step(program, options):
    """Seconds of a step of the in-tree reference, after one that warms up."""
    command = [program, "bench", "step", "--recipe", "fastconvmae_base_in1k_50ep", "--implementation", "reference", "--json",
               "--quiet", "--steps", "1", "--batch", str(options.batch), "--precision", options.precision]
    result = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return result["implementations"]["reference"]["seconds_per_step"]["median"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    arguments.add_argument("--steps", type=int, default=3)
    arguments.add_argument("--beside", metavar="PROGRAM")
    options = arguments.parse_args()
    torch.manual_seed(0)
    model = FastConvMae()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, betas=(0.9, 0.95), weight_decay=0.05, fused=True)
    images = torch.rand(options.batch, 3, 224, 224)
    times, beside = [], []
    for index in range(options.steps + 1):  # the first one warms up
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            loss = model(images)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        times.append(time.perf_counter() - start)
        if options.beside and index > 0:
            beside.append(reference_step(options.beside, options))
    parameters = sum(p.numel() for p in model.parameters())
    middle = statistics.median(times[1:])
    print(f"parameters {parameters}  loss {loss.item():.4f}  seconds {' '.join(f'{t:.3f}' for t in times[1:])}")
    print(f"median {middle:.3f} s  {options.batch / middle:.3f} images/s")
    if beside:
        print(f"reference {' '.join(f'{t:.3f}' for t in beside)}  PyTorch / reference {middle / statistics.median(beside):.3f}")


if __name__ == "__main__":
    main()
