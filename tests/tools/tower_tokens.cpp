// Writes the tokens that a teacher file computes for images. scripts/check-teachers.sh compares
// them with those of the program that wrote the file:
//
//     tower_tokens FILE|FOLDER PICTURES.safetensors OUT.safetensors fp32|fp64
//
// PICTURES holds normalised images, "pixels" [B, 3, H, W]. OUT gets "tokens" and "normed" (after
// the last norm), [B, L, D] in raster order, in float32 or float64; also "projected" if the teacher
// has a projection. Not installed.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>

#include "fcm/base/error.h"
#include "fcm/formats/safetensors.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/tasks/teachers.h"
#include "fcm/train/state.h"

namespace fcm {
namespace {

void write(const std::string& tower, const std::string& images, const std::string& out,
           at::ScalarType type) {
  const formats::TensorFile file = formats::read_safetensors(images);
  const formats::TensorView* const view = file.find("pixels");
  if (view == nullptr) fail(ExitCode::kData, "{} has no pixels", images);
  const at::Tensor images_BCHW = train::to_tensor(*view).to(type);
  interop::TeacherFile read = interop::read_teacher(tower);
  for (const std::string& remark : read.remarks) fmt::print(stderr, "{}\n", remark);
  targets::TeacherOptions options = read.options;
  options.rows = images_BCHW.size(2);
  options.cols = images_BCHW.size(3);
  if (options.heads == 0) options.heads = options.dim / 64;
  targets::Teacher teacher(options, type);
  tasks::fill_teacher(teacher, read, tower);
  fmt::print("{}, {} heads, mean {:.4f} {:.4f} {:.4f}\n", described(options), options.heads,
             options.mean[0], options.mean[1], options.mean[2]);
  const at::Tensor order_BL = masks::full_plan(images_BCHW.size(0), teacher.grid()).order_BL;
  const at::Tensor pixels = ops::patchify_normalised(images_BCHW, order_BL, teacher.geometry());
  train::PublishedTensors tensors;
  const auto add = [&](const char* name, targets::Feature feature) {
    tensors.add(name, teacher.features(pixels, order_BL, feature, type).contiguous());
  };
  add("tokens", targets::Feature::kTokens);
  add("normed", targets::Feature::kNormed);
  if (options.projected_dim > 0) add("projected", targets::Feature::kProjected);
  formats::write_safetensors(out, tensors.views, {});
}

}  // namespace
}  // namespace fcm

int main(int count, char** words) {
  const std::string type = count == 5 ? words[4] : "";
  if (type != "fp32" && type != "fp64") {
    fmt::print(stderr, "usage: tower_tokens FILE|FOLDER PICTURES OUT fp32|fp64\n");
    return 2;
  }
  try {
    fcm::write(words[1], words[2], words[3], type == "fp64" ? at::kDouble : at::kFloat);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
