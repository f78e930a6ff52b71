// Writes random weights of a teacher's real size under timm's names, to run recipes without the
// real weights:
//
//     write_teacher clip vit_b16 FILE.pth       fp16, as OpenAI's; any value of targets.clip_tower
//     write_teacher dino vit_b16 FILE.pth       fp32, as DINO's backbone; any of targets.dino_tower
//
// FILE holds a state_dict as torch.save writes it. Not installed.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>

#include "fcm/formats/pth.h"
#include "fcm/targets/teachers.h"
#include "fcm/train/state.h"

namespace fcm {
namespace {

void write(const std::string& name, const std::string& size, const std::string& path) {
  targets::TargetOptions options;
  options.clip = name == "clip" ? 1 : 0;
  options.dino = name == "clip" ? 0 : 1;
  (name == "clip" ? options.clip_tower : options.dino_tower) = size;
  const int64_t side = 224 / targets::tower_options(options, name, 1, 1).stride;
  targets::Student student;
  student.grid = {side, side};
  targets::Teachers teachers(options, student);
  const nn::Parameters& parameters = teachers.tower(name).parameters();
  train::PublishedTensors tensors;
  formats::Value::Dict root;
  root.ordered = true;
  for (const nn::Parameter& parameter : parameters.all()) {
    const at::Tensor value = parameters.published(parameter);
    tensors.add(parameter.name, name == "clip" ? value.to(at::kHalf) : value);
    root.items.emplace_back(formats::Value{parameter.name}, formats::Value{formats::Value::Tensor{
                                                                tensors.views.size() - 1, false}});
  }
  formats::write_pth(path, formats::Value{root}, tensors.views);
}

}  // namespace
}  // namespace fcm

int main(int count, char** words) {
  const std::string name = count == 4 ? words[1] : "";
  if (name != "clip" && name != "dino") {
    fmt::print(stderr, "usage: write_teacher clip|dino TOWER FILE.pth\n");
    return 2;
  }
  try {
    fcm::write(name, words[2], words[3]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
