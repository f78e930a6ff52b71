// Cases of segmentation maps: counts and means of eval_miou and segmentation/metrics, windows of
// eval_slide and segmentation/windows. Counts, windows and maps must be equal. Logits stored at an
// image's original size are not compared, because the program computes only maps at that size.
#include "tests/parity/miou_cases.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>

#include "fcm/base/error.h"
#include "fcm/eval/miou.h"
#include "fcm/eval/slide.h"
#include "reference/procedural.h"

namespace fcm::parity {
namespace {

using nlohmann::json;

// The rounding error of a division by 100 and of a sum over fewer than 256 classes in any order.
constexpr double kSumOfClasses = 256 * 0x1p-53;

// The label conversion of upstream's reduce_zero_label: stored 0 means unlabelled and becomes 255,
// the ignored label; class k is stored as k + 1.
at::Tensor read_labels(const at::Tensor& raw, bool reduce_zero_label) {
  if (!reduce_zero_label) return raw;
  return at::where(raw.eq(0).logical_or(raw.eq(255)), at::full_like(raw, 255), raw - 1);
}

std::span<const uint8_t> map_bytes(const at::Tensor& map) {
  return {map.const_data_ptr<uint8_t>(), static_cast<size_t>(map.numel())};
}

// The metrics over the stored maps "<prefix>prediction.0", "<prefix><label>0" and so on.
eval::MeanIou measured(const Tensors& stored, const std::string& prefix, const std::string& label,
                       int64_t classes, bool reduce_zero_label) {
  eval::ClassCounts counts(classes);
  for (int i = 0; stored.contains(fmt::format("{}prediction.{}", prefix, i)); ++i) {
    at::Tensor predicted = stored.at(fmt::format("{}prediction.{}", prefix, i)).contiguous();
    if (!reduce_zero_label) predicted = predicted + 1;
    const at::Tensor labels =
        read_labels(stored.at(fmt::format("{}{}{}", prefix, label, i)), reduce_zero_label)
            .contiguous();
    counts.add(map_bytes(predicted), map_bytes(labels));
  }
  return counts.result();
}

void compare_counts(CaseResult& result, const std::string& prefix, const eval::MeanIou& got,
                    const Tensors& stored) {
  const auto compare_one = [&](const char* name, const auto& count_of) {
    std::vector<int64_t> counts;
    for (const eval::ClassOverlap& one : got.classes) counts.push_back(count_of(one));
    compare_exactly(result, prefix + name, at::tensor(counts, at::kLong), stored.at(prefix + name));
  };
  using Overlap = eval::ClassOverlap;
  compare_one("intersect", [](const Overlap& one) { return one.intersection; });
  compare_one("predicted", [](const Overlap& one) { return one.predicted; });
  compare_one("labelled", [](const Overlap& one) { return one.labelled; });
  compare_one("union", [](const Overlap& one) { return one.in_union(); });
}

void compare_means(CaseResult& result, const std::string& prefix, const eval::MeanIou& got,
                   const json& wanted) {
  for (const auto& [name, value] :
       {std::pair{"mIoU", got.miou}, {"mAcc", got.macc}, {"aAcc", got.aacc}}) {
    compare_number(result, prefix + name, value / 100, wanted.at(name).get<double>(),
                   kSumOfClasses);
    if (!wanted.contains("printed")) continue;
    const std::string printed = fmt::format("{:.2f}", value);
    const std::string asked = fmt::format("{:.2f}", wanted.at("printed").at(name).get<double>());
    if (printed != asked) {
      add_fault(result, fmt::format("{}{} is printed as {}, not {}", prefix, name, printed, asked));
    }
  }
}

// Compares one ratio of each class. The files store an undefined ratio as null; here it is NaN.
void compare_shares(CaseResult& result, const std::string& name, const json& wanted,
                    const eval::MeanIou& got, double (eval::ClassOverlap::*share)() const) {
  require(wanted.size() == got.classes.size(), "{} of {} classes, stored of {}", name,
          got.classes.size(), wanted.size());
  for (size_t i = 0; i < got.classes.size(); ++i) {
    const double value = (got.classes[i].*share)();
    const std::string place = fmt::format("{} of class {}", name, i);
    if (std::isnan(value) != wanted[i].is_null()) {
      add_fault(result, fmt::format("{} is {}, stored is {}", place, value, wanted[i].dump()));
    } else if (!wanted[i].is_null()) {
      compare_number(result, place, value / 100, wanted[i].get<double>(), 4 * 0x1p-53);
    }
  }
}

// A stored tensor that no comparison uses is a fault.
void refuse_unknown(CaseResult& result, const Tensors& stored, const std::regex& known) {
  for (const auto& [name, tensor] : stored) {
    if (!std::regex_match(name, known))
      add_fault(result, name + " is stored, but this case does not know the name");
  }
}

void metrics(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.folder / "metrics.safetensors");
  const json cases = read_json(entry.folder / "metrics.json");
  refuse_unknown(
      result, stored,
      std::regex(R"(case\d\.(intersect|predicted|labelled|union|(prediction|raw_label)\.\d))"));
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::string prefix = fmt::format("case{}.", i);
    const eval::MeanIou got =
        measured(stored, prefix, "raw_label.", cases[i].at("classes"), /*reduce_zero_label=*/true);
    if (got.images != cases[i].at("images")) {
      add_fault(result, fmt::format("{}{} pictures", prefix, got.images));
    }
    compare_counts(result, prefix, got, stored);
    compare_means(result, prefix, got, cases[i]);
    compare_shares(result, prefix + "iou", cases[i].at("iou"), got, &eval::ClassOverlap::iou);
    compare_shares(result, prefix + "acc", cases[i].at("acc"), got, &eval::ClassOverlap::accuracy);
  }
}

// The ratios of all classes as the files store them: float32, -1 where undefined.
at::Tensor stored_form(const eval::MeanIou& got, double (eval::ClassOverlap::*share)() const) {
  std::vector<double> values;
  for (const eval::ClassOverlap& one : got.classes) values.push_back((one.*share)() / 100);
  return at::tensor(values, at::kDouble).nan_to_num(-1).to(at::kFloat);
}

void miou(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.folder / "tensors.safetensors");
  const json expected = read_json(entry.folder / "expected.json");
  refuse_unknown(
      result, stored,
      std::regex(
          R"((plain|reduce_zero_label)\.(intersect|predicted|labelled|union|iou|acc)|(prediction|label)\.\d)"));
  for (const auto& [name, wanted] : expected.items()) {
    const bool reduce = name == "reduce_zero_label";
    const eval::MeanIou got = measured(stored, "", "label.", wanted.at("classes"), reduce);
    compare_counts(result, name + ".", got, stored);
    compare_means(result, name + ".", got, wanted);
    for (const auto& [share, of] :
         {std::pair{"iou", &eval::ClassOverlap::iou}, {"acc", &eval::ClassOverlap::accuracy}}) {
      const std::string full = fmt::format("{}.{}", name, share);
      compare(result, full, stored_form(got, of), stored.at(full), 0x1p-23);
    }
  }
}

eval::SlideOptions options_of(const json& one) {
  const json& crop = one.at("crop");
  const auto rows = (crop.is_array() ? crop.at(0) : crop).get<int64_t>();
  const auto cols = (crop.is_array() ? crop.at(1) : crop).get<int64_t>();
  const auto stride = one.at("stride").get<int64_t>();
  return {rows, cols, stride, stride, false};
}

// `ends`: whether stored windows are given by their ends instead of their sizes.
void compare_windows(CaseResult& result, const json& one, bool ends) {
  ++result.tensors;
  json got = json::array();
  const auto rows = one.at("image").at(0).get<int64_t>(),
             cols = one.at("image").at(1).get<int64_t>();
  for (const eval::Window& window : eval::slide_windows(rows, cols, options_of(one))) {
    got.push_back({window.top, window.left, window.rows + (ends ? window.top : 0),
                   window.cols + (ends ? window.left : 0)});
  }
  if (got != one.at("windows")) {
    add_fault(result, fmt::format("windows of {} are {}, not {}", one.at("image").dump(),
                                  got.dump(), one.at("windows").dump()));
  }
}

void windows(CaseResult& result, const Entry& entry) {
  for (const json& one : read_json(entry.path())) compare_windows(result, one, /*ends=*/true);
}

// A network of the stored cases: one convolution, at every pixel or at every fourth. This program
// pads windows that extend beyond the image, but upstream does not. So the padding is cropped
// before the convolution, and the logits are upsampled and padded to the size of the window.
struct StoredNetwork {
  at::Tensor weight, bias;
  int64_t stride = 1, padding = 0;
  int64_t rows = 0, cols = 0;  // of the image

  at::Tensor operator()(const at::Tensor& windows_NHWC) const {
    const int64_t full_rows = windows_NHWC.size(1), full_cols = windows_NHWC.size(2);
    const int64_t own_rows = std::min(rows, full_rows), own_cols = std::min(cols, full_cols);
    const at::Tensor own = windows_NHWC.slice(1, 0, own_rows).slice(2, 0, own_cols);
    at::Tensor logits =
        at::conv2d(own.permute({0, 3, 1, 2}), weight, bias, {stride, stride}, {padding, padding});
    if (own_rows < full_rows || own_cols < full_cols) {
      logits = at::upsample_bilinear2d(logits, {own_rows, own_cols}, false);
      logits = at::constant_pad_nd(logits, {0, full_cols - own_cols, 0, full_rows - own_rows});
    }
    return logits.permute({0, 2, 3, 1});
  }
};

StoredNetwork stored_network(const std::string& name, uint64_t seed, int64_t classes) {
  const int64_t side = name == "conv1x1" ? 1 : 3;
  const std::string layer = fmt::format("slide.conv{0}x{0}.", side);
  StoredNetwork network;
  network.weight = reference::procedural(layer + "weight", seed, {classes, 3, side, side});
  network.bias = reference::procedural(layer + "bias", seed, {classes});
  if (side == 3) network.stride = 4, network.padding = 1;
  return network;
}

// Compares logits with a tensor [1, K, H, W] that is stored whole or sampled.
void compare_logits(CaseResult& result, const std::string& name, const at::Tensor& got_KHW,
                    const Tensors& stored, double tolerance) {
  if (stored.contains(name)) {
    return compare(result, name, got_KHW.unsqueeze(0), stored.at(name), tolerance);
  }
  compare(result, name, got_KHW.flatten().index_select(0, stored.at(name + ".idx")),
          stored.at(name + ".val"), tolerance);
}

// For each pixel, the number of windows whose logits the upstream loop adds.
at::Tensor windows_at_pixels(const at::Tensor& image_HWC, const json& one) {
  at::Tensor count = at::zeros({image_HWC.size(0), image_HWC.size(1)}, at::kByte);
  for (const eval::Window& window :
       eval::slide_windows(image_HWC.size(0), image_HWC.size(1), options_of(one))) {
    count.slice(0, window.top, window.top + window.rows)
        .slice(1, window.left, window.left + window.cols) += 1;
  }
  return count;
}

struct SlideCase {
  std::string name;  // "case0.conv1x1"
  json about;
  uint64_t seed = 0;
  double error = 0;  // upstream's own error of averaged logits
};

void slide_case(CaseResult& result, const SlideCase& one, const std::string& network_name,
                const Tensors& stored) {
  constexpr int64_t kClasses = 8;
  const json& to = one.about.at("rescaled_to");
  const auto rows = to.at(0).get<int64_t>(), cols = to.at(1).get<int64_t>();
  const auto height = one.about.at("image").at(0).get<int64_t>();
  const auto width = one.about.at("image").at(1).get<int64_t>();
  const at::Tensor image =
      reference::procedural("images", one.about.at("images_seed"), {1, 3, height, width})[0]
          .permute({1, 2, 0})
          .contiguous();
  StoredNetwork network = stored_network(network_name, one.seed, kClasses);
  network.rows = height, network.cols = width;
  const eval::SlideOptions options = options_of(one.about);
  const at::Tensor averaged = eval::slide_logits(image, options, 4, network);
  compare_logits(result, one.name + ".averaged", averaged.permute({2, 0, 1}).contiguous(), stored,
                 one.error);
  compare_exactly(result, one.name + ".labels", eval::slide(image, rows, cols, options, 4, network),
                  stored.at(one.name + ".labels"));
  const std::string count = one.name.substr(0, one.name.find('.')) + ".count";
  compare_exactly(result, count, windows_at_pixels(image, one.about), stored.at(count));
}

void slide(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.folder / "golden.safetensors");
  const json errors = read_json(entry.folder / "errors.json");
  const json about = read_json(entry.folder / "manifest.json").at("about");
  refuse_unknown(
      result, stored,
      std::regex(
          R"(case\d\.(count|conv(1x1|3x3_s4)\.(labels|(averaged|rescaled)(\.idx|\.val)?)))"));
  const json cases = read_json(entry.folder / "expected.json");
  for (size_t i = 0; i < cases.size(); ++i) {
    compare_windows(result, cases[i], /*ends=*/false);
    for (const char* network : {"conv1x1", "conv3x3_s4"}) {
      const std::string name = fmt::format("case{}.{}", i, network);
      const auto error = errors.at(name + ".averaged").at("rel_to_max").get<double>();
      slide_case(result, {name, cases[i], about.at("seed"), 10 * error}, network, stored);
    }
  }
}

// The comparison of each file; files with nullptr have no case of their own, other cases read them.
using Compare = void (*)(CaseResult&, const Entry&);
const std::map<std::string, Compare>& map_files() {
  static const std::map<std::string, Compare> files{
      {"segmentation/metrics.json", nullptr},  {"segmentation/metrics.safetensors", metrics},
      {"segmentation/windows.json", windows},  {"eval_miou/expected.json", nullptr},
      {"eval_miou/tensors.safetensors", miou}, {"eval_slide/expected.json", nullptr},
      {"eval_slide/golden.safetensors", slide}};
  return files;
}

std::string place_of(const Entry& entry) {
  return entry.folder.filename().string() + "/" + entry.file;
}

}  // namespace

bool is_segmentation_map_entry(const Entry& entry) { return map_files().contains(place_of(entry)); }

std::vector<CaseResult> miou_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  const Compare compare_file = map_files().at(place_of(entry));
  if (compare_file == nullptr) return results;
  add_case(results, request, place_of(entry),
           [&](CaseResult& result) { compare_file(result, entry); });
  return results;
}

}  // namespace fcm::parity
