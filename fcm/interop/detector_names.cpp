#include "fcm/interop/detector_names.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/batch_counts.h"

namespace fcm::interop {
namespace {

using formats::TensorView;

// "backbone." is part of these names, so only outer wrappers are removed.
std::string plain_name(const TensorView& tensor) {
  return without_outer_wrappers(without_inner_wrappers(tensor.name));
}

bool is_computed(std::string_view name) {
  return name.ends_with("relative_position_index") || name.find("anchor_generator.") != name.npos ||
         name == "pixel_mean" || name == "pixel_std";
}

}  // namespace

bool are_of_detector(std::span<const TensorView> tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const TensorView& tensor) {
    return tensor.name.ends_with(kDetectorClasses) && plain_name(tensor) == kDetectorClasses;
  });
}

formats::Buffer from_detectron2(std::vector<TensorView>& tensors, const std::string& source) {
  std::map<std::string, std::string> before;
  for (TensorView& tensor : tensors) {
    std::string name = plain_name(tensor);
    const auto [place, is_new] = before.emplace(name, tensor.name);
    if (!is_new) {
      fail(ExitCode::kCheckpoint,
           "{}: {} and {} both are {} to this program; it cannot tell which one is meant", source,
           place->second, tensor.name, name);
    }
    tensor.name = std::move(name);
  }
  std::erase_if(tensors, [](const TensorView& tensor) { return is_computed(tensor.name); });
  return counts_as_floats(tensors);
}

std::vector<TensorView> take_out_beside_detector(std::vector<TensorView>& tensors) {
  constexpr std::array<std::string_view, 3> kModules = {"backbone.", "proposal_generator.",
                                                        "roi_heads."};
  std::vector<TensorView> taken;
  std::erase_if(tensors, [&](const TensorView& tensor) {
    const auto is_front = [&](std::string_view front) { return tensor.name.starts_with(front); };
    if (std::any_of(kModules.begin(), kModules.end(), is_front)) return false;
    taken.push_back(tensor);
    return true;
  });
  return taken;
}

const std::vector<std::string>& detectors_own_tensors() {
  static const std::vector<std::string> patterns{
      "backbone.*rel_pos_bias.*", "backbone.*.rel_pos_?", "backbone.fpn_*",
      "backbone.*ms_adaptor.*",   "backbone.simfp_*",     "backbone.bottom_up.norm?.*",
      "proposal_generator.*",     "roi_heads.*"};
  return patterns;
}

}  // namespace fcm::interop
