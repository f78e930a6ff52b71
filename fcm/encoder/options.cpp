#include "fcm/encoder/options.h"

#include "fcm/base/error.h"

namespace fcm::encoder {

Kind kind_named(const std::string& name) {
  if (name == "conv_vit") return Kind::kConvVit;
  if (name == "vit") return Kind::kVit;
  fail(ExitCode::kUsage, "model.kind = \"{}\" is not a known kind; take conv_vit or vit", name);
}

size_t stages(Kind kind) { return kind == Kind::kVit ? 1 : 3; }

int64_t class_tokens(Kind kind) { return kind == Kind::kVit ? 1 : 0; }

namespace {

// Sources: base official; small moreh-dev/FastConvMAE; large as in the released v2 weights;
// large_paper DMJD; huge a third party's reading of the paper (unverified).
EncoderOptions conv_vit_size(const std::string& name) {
  if (name == "small") return {name, {4, 2, 2}, {128, 256, 384}, {2, 2, 11}, 6, {4, 4, 4}};
  if (name == "base") return {name, {4, 2, 2}, {256, 384, 768}, {2, 2, 11}, 12, {4, 4, 4}};
  if (name == "large") return {name, {4, 2, 2}, {384, 768, 1024}, {2, 2, 20}, 16, {4, 4, 4}};
  if (name == "large_paper") return {name, {4, 2, 2}, {384, 768, 1024}, {2, 2, 23}, 16, {8, 8, 4}};
  if (name == "huge") return {name, {4, 2, 2}, {768, 1024, 1280}, {2, 2, 31}, 16, {8, 8, 4}};
  fail(ExitCode::kUsage,
       "encoder.size = \"{}\" is not a size of conv_vit; take custom, small, base, large, "
       "large_paper or huge",
       name);
}

// Sources: base, large and huge models_mae.py; small the ViT-S of DeiT (MAE published none).
EncoderOptions vit_size(const std::string& name) {
  if (name == "small") return {name, {16}, {384}, {12}, 6, {4}};
  if (name == "base") return {name, {16}, {768}, {12}, 12, {4}};
  if (name == "large") return {name, {16}, {1024}, {24}, 16, {4}};
  if (name == "huge") return {name, {14}, {1280}, {32}, 16, {4}};
  fail(ExitCode::kUsage,
       "encoder.size = \"{}\" is not a size of vit; take custom, small, base, large or huge", name);
}

}  // namespace

EncoderOptions named_size(Kind kind, const std::string& name) {
  return kind == Kind::kVit ? vit_size(name) : conv_vit_size(name);
}

}  // namespace fcm::encoder
