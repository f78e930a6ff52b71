// Whole detectors by both paths: a training pass, and detections in images.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "fcm/eval/detection_accuracy.h"
#include "fcm/image/image_boxes.h"
#include "fcm/image/run_lengths.h"
#include "tests/parity/detection_cases.h"
#include "tests/parity/detection_stored.h"
#include "tests/parity/detector.h"
#include "tests/parity/golden.h"

namespace fcm::parity {
namespace {

// Names that begin with one of these are not compared: inputs, and the raw outputs of the region
// proposal network, which the paths do not keep.
const std::vector<std::string> kGiven{"image.", "gt_", "rpn.", "roi.", "rpn_logits", "rpn_deltas"};

bool is_zero_by_nature(const Entry& entry, const std::string& name) {
  const auto list = entry.about.value("gradient_exactly_zero", std::vector<std::string>());
  const std::string whole =
      name.ends_with(".val") ? name.substr(0, name.size() - std::string(".val").size()) : name;
  return std::find(list.begin(), list.end(), whole) != list.end();
}

// Stored and computed tensors of equal names and sizes; large tensors are sampled in both.
struct Comparable {
  Tensors wanted, got;
};

Comparable comparable(const Entry& entry, const Tensors& stored, const Tensors& computed) {
  Comparable both{{}, computed};
  for (const auto& [name, value] : stored) {
    if (name.ends_with(".idx") || is_zero_by_nature(entry, name)) continue;
    both.wanted[name] = without_key_bias(name, value);
    if (!name.ends_with(".val")) continue;
    const std::string whole = name.substr(0, name.size() - std::string(".val").size());
    const auto found = computed.find(whole);
    if (found == computed.end()) continue;
    both.got[name] = found->second.flatten().index_select(0, stored.at(whole + ".idx"));
  }
  for (auto& [name, value] : both.got) {
    value = without_key_bias(name, value);
    if (name.ends_with("num_batches_tracked")) value = value.to(at::kLong);
  }
  return both;
}

at::Tensor own_class_logits(const Tensors& stored, int64_t classes) {
  std::vector<at::Tensor> of_images;
  for (int64_t i = 0; stored.contains(fmt::format("roi.sampled_class.{}", i)); ++i) {
    const at::Tensor class_R = stored.at(fmt::format("roi.sampled_class.{}", i));
    of_images.push_back(class_R.index_select(0, class_R.ne(classes).nonzero().squeeze(1)));
  }
  const at::Tensor class_F = at::cat(of_images);
  return stored.at("mask_logits").index({at::arange(class_F.size(0), class_F.options()), class_F});
}

void compare_training(CaseResult& result, const Entry& entry, const Request& request, Path path,
                      at::ScalarType type) {
  Tensors stored = read_tensors(entry.path());
  const DetectorCase c = detector_case(entry, request, stored);
  const Tensors computed = train_detector(c, stored, path, type);
  stored["mask_logits"] = own_class_logits(stored, c.options.classes);
  Comparable both = comparable(entry, stored, computed);
  if (path == Path::kReference) {  // the reference counts no batches
    std::erase_if(both.wanted,
                  [](const auto& each) { return each.first.ends_with("num_batches_tracked"); });
  }
  compare_detection(result, entry, both.wanted, both.got, type, kGiven);
}

// The value of a pasted mask at a pixel of the image: interpolated bilinearly at the pixel's
// centre, zero outside the box.
double pasted_value(const at::Tensor& mask_SS, const std::array<double, 4>& box, int64_t col,
                    int64_t row) {
  const auto side = mask_SS.size(0);
  const auto place = [&](int64_t pixel, double from, double length) {
    return (static_cast<double>(pixel) + 0.5 - from) / length * static_cast<double>(side) - 0.5;
  };
  const double u = place(col, box[0], box[2]), v = place(row, box[1], box[3]);
  const auto at_cell = [&](int64_t y, int64_t x) {
    const bool inside = y >= 0 && x >= 0 && y < side && x < side;
    return inside ? mask_SS[y][x].item<double>() : 0;
  };
  const auto x = static_cast<int64_t>(std::floor(u)), y = static_cast<int64_t>(std::floor(v));
  const double right = u - std::floor(u), below = v - std::floor(v);
  return (1 - below) * ((1 - right) * at_cell(y, x) + right * at_cell(y, x + 1)) +
         below * ((1 - right) * at_cell(y + 1, x) + right * at_cell(y + 1, x + 1));
}

// Whether rounding may move the value of a pixel across 0.5: an error of 1e-4 in the mask, or of
// 0.001 pixel in the box, which matters for boxes of a few pixels.
bool is_near_half(const at::Tensor& mask_SS, const std::array<double, 4>& box, int64_t col,
                  int64_t row) {
  constexpr double kOfMask = 1e-4, kOfBox = 1e-3;
  const double value = pasted_value(mask_SS, box, col, row);
  if (std::abs(value - 0.5) < kOfMask) return true;
  for (size_t side = 0; side < 4; ++side) {
    for (const double by : {-kOfBox, kOfBox}) {
      std::array<double, 4> moved = box;
      moved[side] += by;
      if ((pasted_value(mask_SS, moved, col, row) < 0.5) != (value < 0.5)) return true;
    }
  }
  return false;
}

// The indices of the boxes that are not empty after clipping to the original image.
std::vector<int64_t> kept_in_image(const at::Tensor& boxes_N4, int64_t side, loader::Extent image) {
  std::vector<std::array<float, 4>> boxes(static_cast<size_t>(boxes_N4.size(0)));
  const at::Tensor flat = boxes_N4.contiguous();
  for (size_t i = 0; i < boxes.size(); ++i) {
    std::copy_n(flat.const_data_ptr<float>() + 4 * i, 4, boxes[i].begin());
  }
  std::vector<int64_t> kept;
  for (const image::ImageBox& one :
       image::boxes_in_image(boxes, side, side, image.rows, image.cols)) {
    kept.push_back(one.index);
  }
  return kept;
}

// Compares boxes, scores, classes and masks in the coordinates of the original images.
void compare_in_images(CaseResult& result, const Entry& entry, const Tensors& stored,
                       const Tensors& found, int64_t side) {
  const nlohmann::json results = read_json(entry.folder / (entry.stem() + ".results.json"));
  for (size_t i = 0; i < results.size(); ++i) {
    const nlohmann::json& one = results[i];
    const auto of = [&](const char* name) {
      return found.at(fmt::format("raw.{}.{}", name, i)).to(at::kFloat);
    };
    const models::Detections raw{of("boxes"), of("scores"), of("classes").to(at::kLong),
                                 of("masks")};
    const std::vector<eval::CocoDetection> objects =
        eval::detections_in_image(raw, side, {one.at("height"), one.at("width")});
    const nlohmann::json& wanted = one.at("results");
    const std::vector<int64_t> kept =
        kept_in_image(raw.boxes_N4, side, {one.at("height"), one.at("width")});
    if (objects.size() != wanted.size()) {
      add_fault(result, fmt::format("picture {}: {} detections, wanted {}", i, objects.size(),
                                    wanted.size()));
      continue;
    }
    for (size_t object = 0; object < objects.size(); ++object) {
      const std::string name = fmt::format("results.{}.{}", i, object);
      const nlohmann::json& entry_of = wanted[object];
      const auto box = entry_of.at("bbox").get<std::vector<double>>();
      for (size_t k = 0; k < 4; ++k) {
        compare(result, name + ".bbox", at::scalar_tensor(objects[object].box[k], at::kDouble),
                at::scalar_tensor(box[k], at::kDouble), 1e-3, /*largest=*/1);
      }
      if (objects[object].category != entry_of.at("category_id").get<int64_t>()) {
        add_fault(result, name + ": another class");
      }
      const image::RunLengths mask =
          image::parse_run_lengths(entry_of.at("segmentation").at("counts").get<std::string>(),
                                   one.at("height"), one.at("width"));
      const auto a = image::decode_mask(mask), b = image::decode_mask(*objects[object].mask);
      for (int64_t pixel = 0; pixel < std::ssize(a); ++pixel) {
        if (a[static_cast<size_t>(pixel)] == b[static_cast<size_t>(pixel)]) continue;
        if (is_near_half(raw.masks_NSS[kept[object]], objects[object].box, pixel % mask.cols,
                         pixel / mask.cols)) {
          continue;
        }
        add_fault(result, fmt::format("{}: pixel {} of the mask differs", name, pixel));
      }
    }
  }
  for (const auto& [name, value] : stored) {
    if (!name.starts_with("boxes.")) continue;
    ++result.tensors;  // the loop above compared it
  }
}

void compare_found(CaseResult& result, const Entry& entry, const Request& request, Path path,
                   at::ScalarType type) {
  const Tensors stored = read_tensors(entry.path());
  const Tensors training = read_tensors(entry.folder / (entry.stem() + ".train.safetensors"));
  const DetectorCase c = detector_case(entry, request, training);
  const Tensors found = detect_objects(c, path, type);
  compare_detection(result, entry, stored, found, type, {"boxes.", "scores.", "classes."});
  compare_in_images(result, entry, stored, found, c.options.backbone.rows);
}

}  // namespace

std::vector<CaseResult> detector_cases(const Entry& entry, const Request& request) {
  const bool trains = entry.file.find(".train.") != std::string::npos;
  return detection_in_two_types(entry, request,
                                [&](CaseResult& result, Path path, at::ScalarType type) {
                                  const auto run = trains ? compare_training : compare_found;
                                  run(result, entry, request, path, type);
                                });
}

}  // namespace fcm::parity
