// Writes the outputs of one of the program's models for random pixels. scripts/check-onnx.sh
// compares them with what another runtime computes from the ONNX file:
//
//     model_outputs features|classes|map|detections SIZE CHECKPOINT OUT.safetensors
//
// The two random images have SIZE x SIZE pixels (0: the trained size). OUT gets them as "pixels"
// [2, C, H, W], and the model's outputs, computed in float32, under the output names of the ONNX
// graph (class maps are int64). Not installed.
#include "tests/support/model_outputs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/load_any.h"
#include "fcm/tasks/trained_classifier.h"
#include "fcm/tasks/trained_detector.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/tasks/trained_segmenter.h"
#include "fcm/train/state.h"

namespace fcm {
namespace {

template <class Trained>
test::Outputs outputs_of(const Trained& trained) {
  const loader::DataOptions& data = trained.recipe.data;
  at::manual_seed(7);
  const at::Tensor pixels =
      at::rand({2, data.channels, data.image_size[0], data.image_size[1]}, at::kFloat);
  test::Outputs outputs =
      test::outputs_of(*trained.model, test::normalised(pixels, data.mean, data.stddev));
  outputs["pixels"] = pixels;
  return outputs;
}

test::Outputs outputs_of(const std::string& what, const std::string& size,
                         const std::string& path) {
  SilentReporter silence;
  std::vector<std::string> set;
  if (size != "0") set.push_back(fmt::format("data.image_size=[{0},{0}]", size));
  if (what == "features") {
    return outputs_of(
        tasks::load_trained_model({path, set, {}}, tasks::ModelUse::kFeatures, silence));
  }
  checkpoint::Checkpoint checkpoint = interop::load_any(path, false, silence);
  if (what == "classes") {
    return outputs_of(tasks::load_classifier(std::move(checkpoint), set, silence));
  }
  if (what == "map") return outputs_of(tasks::load_segmenter(std::move(checkpoint), set, silence));
  return outputs_of(tasks::load_detector(std::move(checkpoint), set, silence));
}

void write(const std::string& path, const test::Outputs& outputs) {
  train::PublishedTensors tensors;
  for (const auto& [name, value] : outputs) tensors.add(name, value.contiguous());
  formats::write_safetensors(path, tensors.views, {});
}

}  // namespace
}  // namespace fcm

int main(int count, char** words) {
  if (count != 5) {
    fmt::print(stderr,
               "usage: model_outputs features|classes|map|detections SIZE CHECKPOINT "
               "OUT.safetensors\n");
    return 2;
  }
  try {
    fcm::write(words[4], fcm::outputs_of(words[1], words[2], words[3]));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
