// Operators of detection on boxes and masks. Indices and levels must be equal. RoIAlign and its
// gradients have the bounds of bound_of_answer(). Masks must be equal, except for at most as many
// pixels as have values within rounding of the threshold.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/image/image_boxes.h"
#include "fcm/image/paste_mask.h"
#include "fcm/ops/nms/op.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/roi_align/op.h"
#include "reference/procedural.h"
#include "tests/parity/detection_cases.h"
#include "tests/parity/golden.h"
#include "tests/parity/run.h"

namespace fcm::parity {
namespace {

using FloatBox = std::array<float, 4>;

// Calls task(result, path, type) for each path in float32, and in float64 if `in_float64`.
template <class Task>
std::vector<CaseResult> on_both_paths(const Entry& entry, const Request& request, bool in_float64,
                                      const Task& task) {
  std::vector<CaseResult> results;
  for (const auto type : {at::kFloat, at::kDouble}) {
    if (type == at::kDouble && !in_float64) continue;
    for (const Path path : {Path::kFast, Path::kReference}) {
      const std::string name =
          fmt::format("{} [{}, {}]", entry.file, path == Path::kFast ? "fast" : "reference",
                      type == at::kFloat ? "float32" : "float64");
      add_case(results, request, name, [&](CaseResult& result) {
        const ops::ReferenceOps by_reference(path == Path::kReference);
        task(result, path, type);
      });
    }
  }
  return results;
}

// The input tensors of a case, after request.mistake.
Tensors case_inputs(const Request& request, Tensors tensors) {
  Inputs inputs;
  inputs.weights = std::move(tensors);
  if (request.mistake) request.mistake(inputs);
  return inputs.weights;
}

void nms_files(CaseResult& result, const Entry& entry, const Tensors& in, const Tensors& stored) {
  for (const auto& [name, about] : entry.about.at("cases").items()) {
    const double threshold = about.at("threshold");
    const at::Tensor &boxes = in.at(name + ".boxes"), &scores = in.at(name + ".scores");
    const auto compare_kept = [&](const std::string& kept, const at::Tensor& groups) {
      compare_exactly(result, kept, ops::nms(boxes, scores, groups, threshold), stored.at(kept));
    };
    if (stored.contains(name + ".keep")) compare_kept(name + ".keep", {});
    if (!stored.contains(name + ".class")) continue;
    compare_kept(name + ".keep_plain", {});
    compare_kept(name + ".keep_batched", in.at(name + ".class"));
  }
}

at::Tensor bhwc_of(const at::Tensor& map_BCHW) {
  return map_BCHW.permute({0, 2, 3, 1}).contiguous();
}
at::Tensor bchw_of(const at::Tensor& map_BHWC) { return map_BHWC.permute({0, 3, 1, 2}); }

// The inputs of RoIAlign.
struct RoiFile {
  std::vector<at::Tensor> maps_BCHW;
  at::Tensor boxes_R4, image_R, level_R;
  std::vector<double> scales;
};

struct RoiAnswers {
  at::Tensor out_RCPP;
  std::vector<at::Tensor> gradients_BCHW;
};

// RoIAlign, and the gradients of sum(output * probe).
RoiAnswers bins_and_gradients(const RoiFile& file, at::ScalarType type, int64_t bins,
                              const at::Tensor& probe_RCPP) {
  std::vector<at::Tensor> maps;
  for (const at::Tensor& map : file.maps_BCHW) {
    maps.push_back(bhwc_of(map.to(type)).set_requires_grad(true));
  }
  const at::Tensor out =
      bchw_of(ops::roi_align(maps, file.boxes_R4, file.image_R, file.level_R, file.scales, bins));
  RoiAnswers result{out.detach(), {}};
  const auto gradients =
      torch::autograd::grad({(out * probe_RCPP.to(type)).sum()}, {maps.begin(), maps.end()});
  for (const at::Tensor& one : gradients) result.gradients_BCHW.push_back(bchw_of(one));
  return result;
}

// float32: the bound in the set's README. float64: 1.5 times upstream's own error, where it is
// stored; it is not stored for the means of masks, which have the bound of float32.
double bound_of_answer(const Entry& entry, const std::string& name, at::ScalarType type) {
  constexpr double kLeast = 1e-5, kHeadroom = 10;
  if (type == at::kDouble && entry.errors.contains(name)) {
    return float64_tolerance(entry)(name, Quantity::kActivation);
  }
  const double of_file = entry.about.at("fp32_vs_fp64").at("max_rel_to_tensor_max");
  return std::max(kLeast, kHeadroom * of_file);
}

void compare_bins(CaseResult& result, const Entry& entry, at::ScalarType type,
                  const std::string& name, const at::Tensor& got, const at::Tensor& wanted) {
  compare(result, name, got, wanted, bound_of_answer(entry, name, type));
}

at::Tensor images_of_file(const std::string& name, const Entry& entry, at::IntArrayRef shape) {
  return reference::procedural(name, entry.about.at("seed"), shape.vec(),
                               reference::ProceduralKind::kImages);
}

void roi_align_file(CaseResult& result, const Entry& entry, const Tensors& in,
                    const Tensors& stored, at::ScalarType type) {
  const at::Tensor &rois = in.at("rois"), &masks = in.at("bitmask");
  const int64_t count = rois.size(0);
  const RoiFile file{{in.at("features")},
                     rois.narrow(1, 1, 4),
                     rois.select(1, 0).to(at::kLong),
                     at::zeros({count}, at::kLong),
                     {entry.about.at("scale").get<double>()}};
  for (const int64_t bins : {7, 14}) {
    const at::Tensor& wanted = stored.at(fmt::format("out{}", bins));
    const RoiAnswers got = bins_and_gradients(
        file, type, bins, images_of_file(fmt::format("probe.{}", bins), entry, wanted.sizes()));
    compare_bins(result, entry, type, fmt::format("out{}", bins), got.out_RCPP, wanted);
    compare_bins(result, entry, type, fmt::format("grad{}", bins), got.gradients_BCHW[0],
                 stored.at(fmt::format("grad{}", bins)));
  }
  // Each mask is one image of the batch, at scale 1.
  const at::Tensor images = at::arange(masks.size(0), at::kLong);
  const at::Tensor means = ops::roi_align({masks.to(type).unsqueeze(3)}, in.at("bitmask.boxes"),
                                          images, at::zeros_like(images), {1}, 28);
  compare_bins(result, entry, type, "bitmask.out28", means.squeeze(3), stored.at("bitmask.out28"));
}

// The boxes of all images in order, and the image of each box.
RoiFile pooler_file(const Tensors& in) {
  RoiFile file;
  std::vector<at::Tensor> boxes, images;
  for (int64_t image = 0; in.contains(fmt::format("boxes.{}", image)); ++image) {
    boxes.push_back(in.at(fmt::format("boxes.{}", image)));
    images.push_back(at::full({boxes.back().size(0)}, image, at::kLong));
  }
  file.boxes_R4 = at::cat(boxes);
  file.image_R = at::cat(images);
  file.level_R = ops::pyramid_levels(file.boxes_R4);
  for (int64_t level = 2; level <= 5; ++level) {
    file.maps_BCHW.push_back(in.at(fmt::format("features.p{}", level)));
    file.scales.push_back(1 / static_cast<double>(int64_t{1} << level));
  }
  return file;
}

void roi_pooler_file(CaseResult& result, const Entry& entry, const Tensors& in,
                     const Tensors& stored, at::ScalarType type) {
  const RoiFile file = pooler_file(in);
  const at::Tensor& wanted = stored.at("out");
  compare_exactly(result, "levels", file.level_R + 2, stored.at("levels"));
  const RoiAnswers got = bins_and_gradients(file, type, wanted.size(3),
                                            images_of_file("probe", entry, wanted.sizes()));
  compare_bins(result, entry, type, "out", got.out_RCPP, wanted);
  for (size_t i = 0; i < got.gradients_BCHW.size(); ++i) {
    const std::string name = fmt::format("grad.p{}", i + 2);
    compare_bins(result, entry, type, name, got.gradients_BCHW[i], stored.at(name));
  }
}

FloatBox float_box(const at::Tensor& boxes_N4, int64_t i) {
  FloatBox box{};
  for (int64_t k = 0; k < 4; ++k) box[static_cast<size_t>(k)] = boxes_N4[i][k].item<float>();
  return box;
}

// The values [rows, cols] of a pasted mask before thresholding, from LibTorch's grid sampler, whose
// coordinates are in [-1, 1].
at::Tensor sampled_mask(const at::Tensor& mask_SS, const at::Tensor& box_4, int64_t rows,
                        int64_t cols) {
  const auto places = [&](int64_t pixels, int64_t axis) {
    const at::Tensor first = box_4[axis], last = box_4[axis + 2];
    return (at::arange(pixels, at::kFloat) + 0.5 - first) / (last - first) * 2 - 1;
  };
  const at::Tensor y_HW = places(rows, 1).unsqueeze(1).expand({rows, cols});
  const at::Tensor x_HW = places(cols, 0).unsqueeze(0).expand({rows, cols});
  return at::grid_sampler(mask_SS.unsqueeze(0).unsqueeze(0),
                          at::stack({x_HW, y_HW}, 2).unsqueeze(0), /*interpolation_mode=*/0,
                          /*padding_mode=*/0, /*align_corners=*/false)
      .squeeze(0)
      .squeeze(0);
}

image::RunLengths pasted(Path path, const at::Tensor& mask_SS, const at::Tensor& box_4,
                         int64_t rows, int64_t cols, double threshold = 0.5) {
  if (path == Path::kFast) {
    const at::Tensor mask = mask_SS.contiguous();
    return image::paste_mask({mask.const_data_ptr<float>(), static_cast<size_t>(mask.numel())},
                             mask.size(0), float_box(box_4.unsqueeze(0), 0), rows, cols, threshold);
  }
  const at::Tensor inside =
      (sampled_mask(mask_SS, box_4, rows, cols) >= threshold).to(at::kByte).contiguous();
  return image::encode_mask({inside.const_data_ptr<uint8_t>(), static_cast<size_t>(inside.numel())},
                            rows, cols);
}

// The number of pixels in exactly one of the masks.
int64_t other_pixels(const image::RunLengths& one, const image::RunLengths& other) {
  const std::array both{one, other};
  return 2 * image::mask_area(image::unite_masks(both)) - image::mask_area(one) -
         image::mask_area(other);
}

void compare_pixels(CaseResult& result, const std::string& name, const image::RunLengths& got,
                    const image::RunLengths& wanted, int64_t allowed) {
  ++result.tensors;
  const int64_t off = other_pixels(got, wanted);
  if (off > allowed) {
    add_fault(result, fmt::format("{}: {} pixels differ, allowed {}", name, off, allowed));
  }
}

image::RunLengths runs_of_values(const at::Tensor& values_HW, double threshold) {
  const at::Tensor inside = (values_HW >= threshold).to(at::kByte).contiguous();
  return image::encode_mask({inside.const_data_ptr<uint8_t>(), static_cast<size_t>(inside.numel())},
                            inside.size(0), inside.size(1));
}

void paste_masks_file(CaseResult& result, const Entry& entry, const Tensors& in,
                      const Tensors& stored, Path path) {
  const nlohmann::json about = read_json(entry.folder / "paste_masks.json");
  const at::Tensor &masks = in.at("masks"), &boxes = in.at("boxes"), &soft = stored.at("soft");
  require(std::ssize(about) == masks.size(0), "{} masks and {} texts", masks.size(0), about.size());
  for (int64_t i = 0; i < masks.size(0); ++i) {
    const nlohmann::json& one = about[static_cast<size_t>(i)];
    const int64_t rows = one.at("size").at(0), cols = one.at("size").at(1);
    compare_pixels(result, fmt::format("mask {}", i), pasted(path, masks[i], boxes[i], rows, cols),
                   image::parse_run_lengths(one.at("counts").get<std::string>(), rows, cols),
                   one.at("pixels_within_1e5_of_half"));
    if (i >= soft.size(0)) continue;
    // Further thresholds check the values before thresholding. They are above 0.5, because upstream
    // cuts off lower values more than two pixels outside of a box.
    for (const double threshold : {0.55, 0.7, 0.95}) {
      const int64_t close = ((soft[i] - threshold).abs() < 1e-5).sum().item<int64_t>();
      compare_pixels(result, fmt::format("mask {} at {}", i, threshold),
                     pasted(path, masks[i], boxes[i], rows, cols, threshold),
                     runs_of_values(soft[i], threshold), close);
    }
  }
}

void postprocess_file(CaseResult& result, const Entry& entry, const Tensors& in,
                      const Tensors& stored, Path path) {
  const nlohmann::json about = read_json(entry.folder / "postprocess.json");
  for (size_t k = 0; k < about.size(); ++k) {
    const nlohmann::json& one = about[k];
    const int64_t rows = one.at("height"), cols = one.at("width");
    const at::Tensor &boxes = in.at(fmt::format("{}.boxes", k)),
                     &masks = in.at(fmt::format("{}.masks", k));
    std::vector<FloatBox> frame_boxes;
    for (int64_t i = 0; i < boxes.size(0); ++i) frame_boxes.push_back(float_box(boxes, i));
    const auto left = image::boxes_in_image(frame_boxes, one.at("network_image").at(0),
                                            one.at("network_image").at(1), rows, cols);
    std::vector<int64_t> kept;
    std::vector<float> numbers;
    for (const image::ImageBox& box : left) {
      kept.push_back(box.index);
      numbers.insert(numbers.end(), box.box.begin(), box.box.end());
    }
    const at::Tensor out_boxes = at::tensor(numbers, at::kFloat).view({-1, 4});
    compare_exactly(result, fmt::format("{}.kept", k), at::tensor(kept, at::kLong),
                    stored.at(fmt::format("{}.kept", k)));
    compare_exactly(result, fmt::format("{}.out_boxes", k), out_boxes,
                    stored.at(fmt::format("{}.out_boxes", k)));
    require(one.at("rle").size() == left.size(), "{} masks, stored {}", left.size(),
            one.at("rle").size());
    for (size_t i = 0; i < left.size(); ++i) {
      const auto place = static_cast<int64_t>(i);
      compare_pixels(result, fmt::format("{}.mask {}", k, i),
                     pasted(path, masks[kept[i]], out_boxes[place], rows, cols),
                     image::parse_run_lengths(one.at("rle")[i].get<std::string>(), rows, cols), 0);
    }
  }
}

}  // namespace

std::vector<CaseResult> nms_file_cases(const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  const Tensors in = case_inputs(request, stored);
  return on_both_paths(entry, request, false, [&](CaseResult& result, Path, at::ScalarType) {
    nms_files(result, entry, in, stored);
  });
}

std::vector<CaseResult> roi_align_file_cases(const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  Tensors all = stored;
  all["features"] =
      images_of_file("features", entry, entry.about.at("feature").get<std::vector<int64_t>>());
  const Tensors in = case_inputs(request, all);
  return on_both_paths(entry, request, true, [&](CaseResult& result, Path, at::ScalarType type) {
    roi_align_file(result, entry, in, stored, type);
  });
}

std::vector<CaseResult> roi_pooler_file_cases(const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  Tensors all = stored;
  for (int level = 2; level <= 5; ++level) {
    const std::string name = fmt::format("features.p{}", level);
    all[name] = images_of_file(name, entry, stored.at(fmt::format("grad.p{}", level)).sizes());
  }
  const Tensors in = case_inputs(request, all);
  return on_both_paths(entry, request, true, [&](CaseResult& result, Path, at::ScalarType type) {
    roi_pooler_file(result, entry, in, stored, type);
  });
}

std::vector<CaseResult> paste_masks_file_cases(const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  const Tensors in = case_inputs(request, stored);
  return on_both_paths(entry, request, false, [&](CaseResult& result, Path path, at::ScalarType) {
    paste_masks_file(result, entry, in, stored, path);
  });
}

std::vector<CaseResult> postprocess_file_cases(const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  const Tensors in = case_inputs(request, stored);
  return on_both_paths(entry, request, false, [&](CaseResult& result, Path path, at::ScalarType) {
    postprocess_file(result, entry, in, stored, path);
  });
}

}  // namespace fcm::parity
