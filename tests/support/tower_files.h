// Small image towers in files as other programs write them, with their names, shapes and
// configurations.
#pragma once

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/safetensors.h"
#include "tests/support/plain_tower.h"

namespace fcm::test {

// Pairs of timm's prefix and the other program's.
using Beginnings = std::vector<std::pair<std::string, std::string>>;
using Named = std::map<std::string, at::Tensor>;

struct TowerLayout {
  std::string label;
  std::function<void(PlainTower&)> parts;  // sets which parts the tower has
  Beginnings outside, in_block;            // prefixes that differ from timm's
  std::string front, blocks = "blocks.";
  std::array<std::string, 3> thirds = {};            // names of q, k and v; empty: one qkv tensor
  std::function<void(Named&)> also = [](Named&) {};  // further changes of the tensors
  std::map<std::string, std::string> texts = {};     // configurations by file name
  std::string weights_file = "model.safetensors";
};

inline std::string with_beginning(const std::string& name, const Beginnings& table) {
  for (const auto& [ours, theirs] : table) {
    if (name.starts_with(ours)) return theirs + name.substr(ours.size());
  }
  return name;
}

// The weights under the names of the layout's program.
inline Named as_written(const PlainTower& tower, const TowerLayout& layout) {
  Named named;
  for (const auto& [name, value] : tower.weights) {
    if (!name.starts_with("blocks.")) {
      named[layout.front + with_beginning(name, layout.outside)] = value;
      continue;
    }
    const size_t dot = name.find('.', 7);
    const std::string block = layout.front + layout.blocks + name.substr(7, dot - 6);
    const std::string part = name.substr(dot + 1);
    const std::string qkv = "attn.qkv.";
    if (layout.thirds[0].empty() || !part.starts_with(qkv)) {
      named[block + with_beginning(part, layout.in_block)] = value;
      continue;
    }
    for (int64_t third = 0; third < 3; ++third) {
      named[block + layout.thirds[static_cast<size_t>(third)] + part.substr(qkv.size())] =
          value.narrow(0, third * tower.dim, tower.dim);
    }
  }
  layout.also(named);
  return named;
}

inline void write_tensors(const std::filesystem::path& path, const Named& named) {
  std::vector<at::Tensor> owners;
  std::vector<formats::TensorView> views;
  for (const auto& [name, value] : named) {
    owners.push_back(value.to(at::kFloat).contiguous());
    views.push_back(
        {name,
         "F32",
         owners.back().sizes().vec(),
         {static_cast<const std::byte*>(owners.back().const_data_ptr()), owners.back().nbytes()}});
  }
  formats::write_safetensors(path, views, {});
}

inline void write_tower(const std::filesystem::path& folder, const PlainTower& tower,
                        const TowerLayout& layout) {
  std::filesystem::create_directories(folder);
  write_tensors(folder / layout.weights_file, as_written(tower, layout));
  for (const auto& [file, text] : layout.texts) {
    write_file_durably(folder / file, text, ExitCode::kCheckpoint, "configuration");
  }
}

inline PlainTower make_tower(const TowerLayout& layout) {
  PlainTower tower;
  layout.parts(tower);
  fill(tower);
  return tower;
}

// --- parts of each kind ---

inline void parts_of_dinov2(PlainTower& tower) { tower.layer_scale = true; }

inline void parts_of_dinov2_registers(PlainTower& tower) {
  tower.layer_scale = true;
  tower.registers = 4;
}

inline void parts_of_dinov3(PlainTower& tower) {
  tower.layer_scale = tower.rotary = true;
  tower.positions = false;
  tower.registers = 4;
  tower.epsilon = 1e-5;
}

inline void parts_of_clip(PlainTower& tower) {
  tower.norm_before = true;
  tower.epsilon = 1e-5;
}

inline void parts_of_openai(PlainTower& tower) {
  parts_of_clip(tower);
  tower.gelu = "quick_gelu";
}

inline void parts_of_siglip(PlainTower& tower) {
  tower.class_token = false;
  tower.gelu = "gelu_tanh";
}

// --- files ---

inline const Beginnings kOpenClipOutside = {{"cls_token", "class_embedding"},
                                            {"pos_embed", "positional_embedding"},
                                            {"patch_embed.proj.", "conv1."},
                                            {"norm_pre.", "ln_pre."},
                                            {"norm.", "ln_post."}};
inline const Beginnings kOpenClipInBlock = {{"norm1.", "ln_1."},
                                            {"norm2.", "ln_2."},
                                            {"attn.qkv.weight", "attn.in_proj_weight"},
                                            {"attn.qkv.bias", "attn.in_proj_bias"},
                                            {"attn.proj.", "attn.out_proj."},
                                            {"mlp.fc1.", "mlp.c_fc."},
                                            {"mlp.fc2.", "mlp.c_proj."}};
inline const Beginnings kDinoOutside = {
    {"cls_token", "embeddings.cls_token"},
    {"reg_token", "embeddings.register_tokens"},
    {"pos_embed", "embeddings.position_embeddings"},
    {"patch_embed.proj.", "embeddings.patch_embeddings.projection."},
    {"norm.", "layernorm."}};
inline const Beginnings kDinoInBlock = {{"attn.proj.", "attention.output.dense."},
                                        {"ls1.gamma", "layer_scale1.lambda1"},
                                        {"ls2.gamma", "layer_scale2.lambda1"}};
inline const std::array<std::string, 3> kDinoThirds = {
    "attention.attention.query.", "attention.attention.key.", "attention.attention.value."};
inline const Beginnings kVisionOutside = {{"cls_token", "embeddings.class_embedding"},
                                          {"pos_embed", "embeddings.position_embedding.weight"},
                                          {"patch_embed.proj.", "embeddings.patch_embedding."},
                                          {"norm_pre.", "pre_layrnorm."},
                                          {"norm.", "post_layernorm."}};
inline const Beginnings kVisionInBlock = {
    {"norm1.", "layer_norm1."}, {"norm2.", "layer_norm2."}, {"attn.proj.", "self_attn.out_proj."}};
inline const std::array<std::string, 3> kVisionThirds = {"self_attn.q_proj.", "self_attn.k_proj.",
                                                         "self_attn.v_proj."};

inline void erase_ending(Named& named, const std::string& ending) {
  std::erase_if(named, [&](const auto& one) { return one.first.ends_with(ending); });
}

// Makes class token and position table those of CLIP, which have fewer dimensions, and removes the
// bias of the patch embedding, which CLIP lacks.
inline void flatten_clip(Named& named, const std::string& class_token, const std::string& table,
                         const std::string& bias) {
  named[class_token] = named.at(class_token).flatten();
  named[table] = named.at(table).squeeze(0);
  named.erase(bias);
}

inline void add_text_tower(Named& named, const std::string& front) {
  named[front + "token_embedding.weight"] = at::zeros({7, 16});
  named[front + "transformer.resblocks.0.ln_1.weight"] = at::zeros({16});
  named["logit_scale"] = at::zeros({1});
}

constexpr const char* kImageNetTimm =
    R"("pretrained_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]})";
constexpr const char* kHalfTimm =
    R"("pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]})";
constexpr const char* kClipTimm =
    R"("pretrained_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073],
       "std": [0.26862954, 0.26130258, 0.27577711]})";

inline std::string timm_config(const std::string& architecture, const char* images) {
  return fmt::format(R"({{"architecture": "{}", "model_args": {{"num_heads": 2}}, {}}})",
                     architecture, images);
}

inline std::string vision_sizes(const std::string& more) {
  return R"("hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8)" +
         more;
}

// Zeroes elements of a tower's weights that another library does not store.
inline void zero(PlainTower& tower, const std::string& ending, int64_t first, int64_t count) {
  for (auto& [name, value] : tower.weights) {
    if (name.ends_with(ending)) value.narrow(0, first, count).zero_();
  }
}

inline TowerLayout timm_layout(std::string label, std::function<void(PlainTower&)> parts,
                               const std::string& architecture, const char* images) {
  TowerLayout layout;
  layout.label = std::move(label);
  layout.parts = std::move(parts);
  layout.texts = {{"config.json", timm_config(architecture, images)}};
  return layout;
}

inline TowerLayout clip_layout(std::string label, std::function<void(PlainTower&)> parts) {
  TowerLayout layout;
  layout.label = std::move(label);
  layout.parts = std::move(parts);
  layout.outside = kOpenClipOutside;
  layout.in_block = kOpenClipInBlock;
  layout.front = "visual.";
  layout.blocks = "transformer.resblocks.";
  layout.weights_file = "open_clip_model.safetensors";
  layout.also = [](Named& named) {
    flatten_clip(named, "visual.class_embedding", "visual.positional_embedding",
                 "visual.conv1.bias");
    named["visual.proj"] = at::eye(32, 16);
    add_text_tower(named, "");
  };
  return layout;
}

inline TowerLayout vision_layout(std::string label, std::function<void(PlainTower&)> parts) {
  TowerLayout layout;
  layout.label = std::move(label);
  layout.parts = std::move(parts);
  layout.outside = kVisionOutside;
  layout.in_block = kVisionInBlock;
  layout.thirds = kVisionThirds;
  layout.front = "vision_model.";
  layout.blocks = "encoder.layers.";
  return layout;
}

inline TowerLayout dino_layout(std::string label, std::function<void(PlainTower&)> parts,
                               const std::string& model_type) {
  TowerLayout layout;
  layout.label = std::move(label);
  layout.parts = std::move(parts);
  layout.outside = kDinoOutside;
  layout.in_block = kDinoInBlock;
  layout.thirds = kDinoThirds;
  layout.blocks = "encoder.layer.";
  layout.also = [](Named& named) { named["embeddings.mask_token"] = at::zeros({1, 32}); };
  layout.texts = {{"config.json", R"({"model_type": ")" + model_type + R"(", )" +
                                      vision_sizes(R"(, "layer_norm_eps": 1e-06})")},
                  {"preprocessor_config.json",
                   R"({"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
                      "do_normalize": true})"}};
  return layout;
}

inline std::vector<TowerLayout> dino_layouts() {
  std::vector<TowerLayout> all;
  all.push_back(
      timm_layout("timm dinov2", parts_of_dinov2, "vit_small_patch14_dinov2", kImageNetTimm));
  all.push_back(timm_layout("timm dinov2 with registers", parts_of_dinov2_registers,
                            "vit_small_patch14_reg4_dinov2", kImageNetTimm));
  all.back().also = [](Named& named) { named["pos_embed"] = named.at("pos_embed").slice(1, 1); };
  all.emplace_back();
  all.back().label = "published dinov2 with registers";
  all.back().parts = parts_of_dinov2_registers;
  all.back().outside = {{"reg_token", "register_tokens"}};
  all.back().also = [](Named& named) { named["mask_token"] = at::zeros({1, 32}); };
  all.push_back(dino_layout("transformers dinov2", parts_of_dinov2, "dinov2"));
  all.push_back(dino_layout("transformers dinov2 with registers", parts_of_dinov2_registers,
                            "dinov2_with_registers"));
  all.push_back(dino_layout("transformers dinov3", parts_of_dinov3, "dinov3_vit"));
  all.back().outside = {{"cls_token", "embeddings.cls_token"},
                        {"reg_token", "embeddings.register_tokens"},
                        {"patch_embed.proj.", "embeddings.patch_embeddings."}};
  all.back().in_block = {{"attn.proj.", "attention.o_proj."},
                         {"ls1.gamma", "layer_scale1.lambda1"},
                         {"ls2.gamma", "layer_scale2.lambda1"},
                         {"mlp.fc1.", "mlp.up_proj."},
                         {"mlp.fc2.", "mlp.down_proj."}};
  all.back().thirds = {"attention.q_proj.", "attention.k_proj.", "attention.v_proj."};
  all.back().blocks = "layer.";
  all.back().also = [](Named& named) {
    erase_ending(named, "attention.k_proj.bias");
    named["embeddings.mask_token"] = at::zeros({1, 1, 32});
  };
  all.back().texts["config.json"] = R"({"model_type": "dinov3_vit", "rope_theta": 100.0, )" +
                                    vision_sizes(R"(, "layer_norm_eps": 1e-05})");
  const Beginnings eva = {{"ls1.gamma", "gamma_1"}, {"ls2.gamma", "gamma_2"}};
  all.push_back(
      timm_layout("timm dinov3", parts_of_dinov3, "vit_small_patch16_dinov3", kImageNetTimm));
  all.back().in_block = eva;
  all.back().also = [](Named& named) { erase_ending(named, "attn.qkv.bias"); };
  all.push_back(timm_layout("timm dinov3 qkvb", parts_of_dinov3, "vit_small_patch16_dinov3_qkvb",
                            kImageNetTimm));
  all.back().in_block = eva;
  all.back().also = [](Named& named) {
    for (const std::string block : {"blocks.0.attn.", "blocks.1.attn."}) {
      const at::Tensor bias = named.at(block + "qkv.bias");
      named[block + "q_bias"] = bias.narrow(0, 0, 32);
      named[block + "v_bias"] = bias.narrow(0, 64, 32);
      named.erase(block + "qkv.bias");
    }
  };
  all.emplace_back();
  all.back().label = "published dinov3";
  all.back().parts = parts_of_dinov3;
  all.back().outside = {{"reg_token", "storage_tokens"}};
  all.back().also = [](Named& named) {
    named["mask_token"] = at::zeros({1, 32});
    named["rope_embed.periods"] = at::ones({4});
    for (const std::string block : {"blocks.0.attn.", "blocks.1.attn."}) {
      at::Tensor bias = named.at(block + "qkv.bias").clone();
      bias.narrow(0, 32, 32).fill_(7);  // unused: a bias mask means that keys have no bias
      named[block + "qkv.bias"] = bias;
      named[block + "qkv.bias_mask"] = at::ones({96});
    }
  };
  return all;
}

inline std::vector<TowerLayout> clip_layouts() {
  std::vector<TowerLayout> all;
  all.push_back(clip_layout("openai", parts_of_openai));
  all.push_back(clip_layout("open_clip", parts_of_clip));
  all.back().texts = {{"open_clip_config.json",
                       R"({"model_cfg": {"embed_dim": 16, "vision_cfg": {"image_size": 24,
                          "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}},
                          "preprocess_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073],
                          "std": [0.26862954, 0.26130258, 0.27577711]}})"}};
  all.push_back(
      timm_layout("timm clip", parts_of_openai, "vit_base_patch16_clip_quickgelu_224", kClipTimm));
  all.back().also = [](Named& named) {
    named.erase("patch_embed.proj.bias");
    named["head.weight"] = at::eye(32, 16).t();
    named["head.bias"] = at::zeros({16});
  };
  all.push_back(vision_layout("transformers clip", parts_of_openai));
  all.back().also = [](Named& named) {
    flatten_clip(named, "vision_model.embeddings.class_embedding",
                 "vision_model.embeddings.position_embedding.weight",
                 "vision_model.embeddings.patch_embedding.bias");
    named["visual_projection.weight"] = at::eye(32, 16).t();
    named["text_model.encoder.layers.0.layer_norm1.weight"] = at::zeros({32});
  };
  all.back().texts = {
      {"config.json", R"({"model_type": "clip", "vision_config": {)" +
                          vision_sizes(R"(, "hidden_act": "quick_gelu"}})")},
      {"preprocessor_config.json", R"({"image_mean": [0.48145466, 0.4578275, 0.40821073],
          "image_std": [0.26862954, 0.26130258, 0.27577711]})"}};
  all.push_back(vision_layout("transformers siglip", parts_of_siglip));
  all.back().also = [](Named& named) {
    const std::string table = "vision_model.embeddings.position_embedding.weight";
    named[table] = named.at(table).squeeze(0);
    named["vision_model.head.probe"] = at::zeros({1, 1, 32});
    named["vision_model.head.mlp.fc1.weight"] = at::zeros({64, 32});
  };
  all.back().texts = {{"config.json", R"({"model_type": "siglip", "vision_config": {)" +
                                          vision_sizes(R"(, "hidden_act": "gelu_pytorch_tanh"}})")},
                      {"preprocessor_config.json",
                       R"({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]})"}};
  all.push_back(
      timm_layout("timm siglip", parts_of_siglip, "vit_base_patch16_siglip_224", kHalfTimm));
  all.back().also = [](Named& named) {
    named["attn_pool.latent"] = at::zeros({1, 1, 32});
    named["attn_pool.mlp.fc1.weight"] = at::zeros({64, 32});
  };
  all.push_back(all.back());
  all.back().label = "open_clip siglip";
  all.back().front = "visual.trunk.";
  all.back().also = [](Named& named) { add_text_tower(named, "text."); };
  all.back().texts = {{"open_clip_config.json",
                       R"({"model_cfg": {"vision_cfg": {"image_size": 24}}, "preprocess_cfg":
                          {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}})"}};
  return all;
}

// Zeroes the weights of a tower that the layout cannot store.
inline void fit_to(PlainTower& tower, const std::string& label) {
  if (tower.norm_before) tower.weights["patch_embed.proj.bias"].zero_();
  if (label == "timm dinov2 with registers") tower.weights["pos_embed"].select(1, 0).zero_();
  if (label == "timm dinov3") zero(tower, "attn.qkv.bias", 0, 96);
  if (tower.rotary) zero(tower, "attn.qkv.bias", 32, 32);
}

}  // namespace fcm::test
