#!/usr/bin/env python3
"""Compares tokens of teachers with those of timm, transformers and open_clip, with random weights.

Run by scripts/check-teachers.sh, which lists the required packages. Every model is constructed from its configuration, perturbed
from its initial weights, saved by its library and read by tower_tokens; both get the same images.
"""
import json
import pathlib
import subprocess
import sys

import open_clip
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
import transformers as T

CLIP_MEAN, HALF, IMAGENET = [0.4815, 0.4578, 0.4082], [0.5] * 3, [0.485, 0.456, 0.406]
torch.set_grad_enabled(False)


def perturbed(model):
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model.eval()


def sizes(base, **tiny):
    """Keys of a transformers configuration; the base size uses the library's defaults."""
    small = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=32, patch_size=8)
    return {} if base else {**small, **tiny}


def hugging_face(model, folder, processor, front=1):
    """front: number of tokens before the patches."""
    perturbed(model).save_pretrained(folder)
    processor.save_pretrained(folder)

    def run(pixels, **more):
        seen = model(pixel_values=pixels, output_hidden_states=True, **more)
        return {"tokens": seen.hidden_states[-1][:, front:], "normed": seen.last_hidden_state[:, front:]}

    return model, run


def dino(kind, base, folder):
    config = {
        "dinov2": T.Dinov2Config, "dinov2_reg": T.Dinov2WithRegistersConfig, "dinov3": T.DINOv3ViTConfig
    }[kind]
    model = {"dinov2": T.Dinov2Model, "dinov2_reg": T.Dinov2WithRegistersModel, "dinov3": T.DINOv3ViTModel}[kind]
    more = {"num_register_tokens": 4} if kind == "dinov3" else {}
    if base:
        more |= {"hidden_size": 768, "num_attention_heads": 12}
        more |= {"intermediate_size": 3072} if kind == "dinov3" else {"image_size": 224, "patch_size": 14}
    else:
        more |= sizes(base, **({"intermediate_size": 64} if kind == "dinov3" else {"mlp_ratio": 2}))
    processor = T.BitImageProcessor(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    made, run = hugging_face(model(config(**more)), folder, processor, front=1 if kind == "dinov2" else 5)
    if kind != "dinov3":  # DINOv3's output is after the norm, its last hidden state before the norm
        return made, run

    def run_dinov3(pixels):
        seen = {}
        hook = made.norm.register_forward_hook(lambda _, inputs, output: seen.update(tokens=inputs[0], normed=output))
        made(pixel_values=pixels)
        hook.remove()
        return {name: value[:, 5:] for name, value in seen.items()}

    return made, run_dinov3


def clip_of_transformers(base, folder, activation):
    vision = sizes(base, intermediate_size=64, projection_dim=16) if not base else {"patch_size": 16}
    text = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=99)
    config = T.CLIPConfig(vision_config={**vision, "hidden_act": activation}, text_config=text,
                          projection_dim=512 if base else 16)
    model = perturbed(T.CLIPModel(config))
    model.save_pretrained(folder)
    T.CLIPImageProcessor().save_pretrained(folder)

    def run(pixels, **more):
        seen = model.vision_model(pixel_values=pixels, output_hidden_states=True, **more)
        tokens = seen.hidden_states[-1][:, 1:]
        normed = model.vision_model.post_layernorm(tokens)
        return {"tokens": tokens, "normed": normed, "projected": model.visual_projection(normed)}

    return model, run


def siglip_of_transformers(base, folder):
    vision = {"patch_size": 16} if base else sizes(base, intermediate_size=64)
    text = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=99)
    model = perturbed(T.SiglipModel(T.SiglipConfig(vision_config=vision, text_config=text)))
    model.save_pretrained(folder)
    T.SiglipImageProcessor().save_pretrained(folder)

    def run(pixels, **more):
        seen = model.vision_model(pixel_values=pixels, output_hidden_states=True, **more)
        return {"tokens": seen.hidden_states[-1], "normed": seen.last_hidden_state}

    return model, run


def of_timm(name, base, folder, **more):
    front = 0 if "siglip" in name else 5 if "reg4" in name or "dinov3" in name else 1
    patch = int(name.split("patch")[1][:2])
    tiny = dict(embed_dim=32, depth=3, num_heads=2, patch_size=8)
    arguments = {"img_size": 14 * patch if base else 32, **({} if base else tiny), **more}
    if "clip" in name and "siglip" not in name:
        arguments["num_classes"] = 16
    else:
        arguments["num_classes"] = 0
    model = perturbed(timm.create_model(name, **arguments))
    if arguments["num_classes"]:
        model.head.bias.zero_()  # a projection has no bias
    timm.models.save_for_hf(model, folder, model_args=arguments, safe_serialization=True)

    def run(pixels):
        normed = model.forward_features(pixels)[:, front:]
        seen = {"normed": normed}
        if arguments["num_classes"]:
            seen["projected"] = model.head(normed)
        return seen

    return model, run


def of_open_clip(base, folder, quick):
    vision = dict(image_size=224, layers=12, width=768, patch_size=16) if base else dict(
        image_size=32, layers=3, width=64, patch_size=8, head_width=32)
    text = dict(context_length=8, vocab_size=10, width=32, heads=2, layers=1)
    model = perturbed(open_clip.model.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text, quick_gelu=quick,
                                           output_dict=True))
    folder.mkdir(parents=True)
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    pictures = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
    (folder / "open_clip_config.json").write_text(json.dumps({
        "model_cfg": {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text, "quick_gelu": quick},
        "preprocess_cfg": pictures}))
    model.visual.output_tokens = True
    return model, lambda pixels: {"normed": model.visual(pixels)[1]}


class Check:
    def __init__(self, program, work):
        self.program, self.work, self.faults = program, pathlib.Path(work), 0

    def tokens_here(self, folder, pixels, kind):
        safetensors.torch.save_file({"pixels": pixels.float().contiguous()}, self.work / "pixels.safetensors")
        out = self.work / "out.safetensors"
        done = subprocess.run([self.program, folder, self.work / "pixels.safetensors", out, kind],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{folder}: {done.stderr}")
        return safetensors.torch.load_file(out), done.stdout.strip()

    def __call__(self, name, make, mean, side, wide_tolerance=1e-12, kinds=("fp32", "fp64"), altered=None, **more):
        folder = self.work / name.replace(" ", "-")
        model, run = make(folder)
        torch.manual_seed(1)
        pixels = torch.randn(2 if side < 100 else 1, 3, side, side)
        for kind in kinds:
            wide = kind == "fp64"
            here, said = self.tokens_here(folder, pixels, kind)
            model.to(torch.float64 if wide else torch.float32)
            if altered is not None:
                altered(model)
            wanted = run(pixels.double() if wide else pixels, **more)
            worst = max(((here[key] - wanted[key]).abs().max() / wanted[key].abs().max()).item() for key in wanted)
            tolerance = wide_tolerance if wide else 1e-4
            shown = " ".join(f"{one:.4f}" for one in mean)
            good = worst <= tolerance and said.endswith("mean " + shown) and torch.isfinite(here["normed"]).all()
            self.faults += not good
            print(f"{'ok   ' if good else 'WRONG'} {name:46} {kind} {', '.join(wanted):26} {worst:.1e} "
                  f"(at most {tolerance:.0e})   {said}", flush=True)
        for file in folder.iterdir():
            file.unlink()


def use_published_positions(model):
    """dinov2's interpolate_pos_encoding of its hub: offset 0.1, from 4 x 4 to 2 x 2 cells."""
    table = model.embeddings.position_embeddings
    if table.shape[1] != 17:
        return
    old, dim = 4, table.shape[2]
    cells = table[:, 1:].reshape(1, old, old, dim).permute(0, 3, 1, 2)
    scale = (2 + 0.1) / old
    new = F.interpolate(cells, scale_factor=(scale, scale), mode="bicubic", antialias=False)
    assert new.shape[-1] == 2
    rows = torch.cat([table[:, :1], new.permute(0, 2, 3, 1).reshape(1, -1, dim)], 1)
    model.embeddings.position_embeddings = torch.nn.Parameter(rows)


def main():
    check = Check(sys.argv[1], sys.argv[2])
    rope = 1e-5  # transformers and timm compute angles in float32
    for base in (False, True):
        size, side16, side14 = ("base", 224, 196) if base else ("tiny", 32, 32)
        kinds = ("fp32",) if base else ("fp32", "fp64")
        for kind, side in (("dinov2", side14), ("dinov2_reg", side14), ("dinov3", side16)):
            if base and kind != "dinov3":
                side = 224
            check(f"transformers {kind} {size}", lambda f, k=kind: dino(k, base, f), IMAGENET, side,
                  rope if kind == "dinov3" else 1e-12, kinds)
        for activation in ("quick_gelu", "gelu"):
            check(f"transformers clip {activation} {size}",
                  lambda f, a=activation: clip_of_transformers(base, f, a), CLIP_MEAN, side16, kinds=kinds)
        check(f"transformers siglip {size}", lambda f: siglip_of_transformers(base, f), HALF, side16, kinds=kinds)
        for name, side, mean, more in (
            ("vit_base_patch14_dinov2", side14, IMAGENET, {}),
            ("vit_base_patch14_reg4_dinov2", side14, IMAGENET, {}),
            ("vit_base_patch16_dinov3", side16, IMAGENET, {}),
            ("vit_base_patch16_dinov3_qkvb", side16, IMAGENET, {}),
            ("vit_base_patch16_clip_224", side16, CLIP_MEAN, {}),
            ("vit_base_patch16_clip_quickgelu_224", side16, CLIP_MEAN, {}),
            # timm's class uses the exact GELU, the published network the tanh approximation.
            ("vit_base_patch16_siglip_224", side16, HALF, {"act_layer": "gelu_tanh"}),
        ):
            check(f"timm {name} {size}", lambda f, n=name, m=more: of_timm(n, base, f, **m), mean, side,
                  rope if "dinov3" in name else 1e-12, kinds)
        for quick in (False, True):
            check(f"open_clip {'quick_gelu' if quick else 'gelu'} {size}",
                  lambda f, q=quick: of_open_clip(base, f, q), CLIP_MEAN, side16, kinds=kinds)
    # Images of another size than the position table's: 4 x 4 cells become 2 x 2.
    check("dinov2, positions as published", lambda f: dino("dinov2", False, f), IMAGENET, 16, 1e-5,
          altered=use_published_positions)
    check("dinov2_reg, positions", lambda f: dino("dinov2_reg", False, f), IMAGENET, 16, 1e-5)
    check("clip, positions", lambda f: clip_of_transformers(False, f, "gelu"), CLIP_MEAN, 16, 1e-5,
          interpolate_pos_encoding=True)
    check("siglip, positions", lambda f: siglip_of_transformers(False, f), HALF, 16, 1e-5,
          interpolate_pos_encoding=True)
    print(f"timm {timm.__version__}, transformers {T.__version__}, open_clip {open_clip.__version__}, "
          f"PyTorch {torch.__version__}: {check.faults} wrong")
    return 1 if check.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
