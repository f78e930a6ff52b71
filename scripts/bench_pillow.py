#!/usr/bin/env python3
"""Measures the throughput of one Pillow worker, for results/loader.md: open, convert("RGB"), crop, bicubic to 224, flip.

Run by hand: python3 scripts/bench_pillow.py FOLDER [SECONDS]. The boxes follow RandomResizedCrop (scale 0.2-1, ratio 3/4-4/3).
"""
import json
import math
import pathlib
import random
import sys
import time

import PIL
from PIL import Image


def random_box(width, height):
    for _ in range(10):
        area = width * height * random.uniform(0.2, 1)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return left, top, left + w, top + h
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def main():
    files = sorted(p for p in pathlib.Path(sys.argv[1]).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    random.seed(0)
    for file in files:  # warm the page cache
        file.read_bytes()
    start, images = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        with open(files[images % len(files)], "rb") as file:
            picture = Image.open(file).convert("RGB")
        view = picture.crop(random_box(*picture.size)).resize((224, 224), Image.Resampling.BICUBIC)
        if random.random() < 0.5:
            view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        view.tobytes()
        images += 1
    print(json.dumps({"pillow": PIL.__version__, "images_per_second": images / (time.perf_counter() - start)}))


if __name__ == "__main__":
    main()
