// Images and maps of the segmentation pipeline; each of its steps must be bit-identical.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/image/hsv.h"
#include "fcm/image/opencv_resize.h"
#include "fcm/loader/scene_pixels.h"
#include "fcm/loader/scene_testing.h"
#include "tests/parity/cases.h"
#include "tests/parity/scene_files.h"

namespace fcm::parity {
namespace {

using loader::SceneOptions;

constexpr int64_t kClasses = 150;

// The tensors of a file after request.mistake; among them are the inputs of its cases.
Tensors inputs_of(const Request& request, Tensors stored) {
  if (!request.mistake) return stored;
  Inputs inputs;
  inputs.weights = {stored.begin(), stored.end()};
  request.mistake(inputs);
  for (auto& [name, tensor] : stored) tensor = inputs.weights.at(name);
  return stored;
}

void compare_digest(CaseResult& result, const std::string& name, const at::Tensor& got,
                    const nlohmann::json& wanted) {
  ++result.tensors;
  if (const std::string digest = digest_of(got); digest != wanted.get<std::string>()) {
    add_fault(result, fmt::format("{}: SHA-256 {}, not {}", name, digest, wanted.dump()));
  }
}

void compare_size(CaseResult& result, const std::string& name, loader::Extent got,
                  const nlohmann::json& wanted) {
  ++result.tensors;
  if (wanted != nlohmann::json{got.rows, got.cols}) {
    add_fault(result, fmt::format("{}: {} x {}, not {}", name, got.rows, got.cols, wanted.dump()));
  }
}

// Compares with the stored tensor `name`, or with the samples `name`.val at the indices `name`.idx.
// Returns false if neither is stored.
bool compare_stored(CaseResult& result, const std::string& name, const at::Tensor& got,
                    const Tensors& stored) {
  if (const auto whole = stored.find(name); whole != stored.end()) {
    compare_exactly(result, name, got, whole->second);
    return true;
  }
  const auto places = stored.find(name + ".idx");
  if (places == stored.end()) return false;
  compare_exactly(result, name, got.flatten().index_select(0, places->second),
                  stored.at(name + ".val"));
  return true;
}

uint64_t seed_in(const nlohmann::json& text) {
  return parse_procedural(text.get<std::string>(), 0).seed;
}

// Compares one image of train_pipeline in two ways: after each of upstream's steps, computed with
// this program's functions, and from the loader, which computes only the crop.
class TrainingCase {
 public:
  TrainingCase(CaseResult& result, std::string name, const nlohmann::json& about,
               const Tensors& inputs, const Tensors& stored)
      : result_(result), name_(std::move(name)), about_(about), stored_(stored) {
    const auto rows = about.at("size").at(0).get<int64_t>();
    const auto cols = about.at("size").at(1).get<int64_t>();
    const auto find = [&](const char* kind) {
      const auto found = inputs.find(name_ + kind);
      return found == inputs.end() ? at::Tensor() : found->second;
    };
    image_ = find(".picture");
    if (!image_.defined()) image_ = procedural_image(seed_in(about.at("source")), rows, cols);
    raw_map_ = find(".raw_label");
    if (!raw_map_.defined()) {
      raw_map_ = procedural_map(seed_in(about.at("labels")), rows, cols, 16, kClasses);
    }
    const auto crop = about.at("crop").get<int64_t>();
    options_.data.image_size = {crop, crop};
    options_.pipeline.scale = about.at("img_scale").get<std::vector<int64_t>>();
    options_.pipeline.ratio_range = about.at("ratio_range").get<std::vector<double>>();
    options_.classes = kClasses;
  }

  void run() {
    step_by_step();
    as_the_loader();
  }

 private:
  void step_by_step() {
    const loader::SceneDraws draws = stored_draws(about_.at("draws"), options_);
    loader::ClassMap reduced = map_of_classes(raw_map_);
    loader::reduce_classes(reduced, options_, name_);
    const loader::Extent size =
        loader::training_size({reduced.rows, reduced.cols}, options_.pipeline, draws.ratio);
    compare_size(result_, name_ + ".resized", size, about_.at("resized"));
    const image::Image resized = image::resize_linear(image_of(image_), size.rows, size.cols);
    loader::ClassMap map{size.rows, size.cols, {}};
    map.classes.resize(static_cast<size_t>(size.rows * size.cols));
    image::resize_nearest({reduced.rows, reduced.cols, size.rows, size.cols},
                          reduced.classes.data(), {0, 0, size.rows, size.cols}, map.classes.data());
    at::Tensor pixels_HWC = tensor_of(resized), map_HW = tensor_of(map);
    compare_stage("resized", pixels_HWC, map_HW);
    crop(draws, pixels_HWC, map_HW);
    compare_stage("cropped", pixels_HWC, map_HW);
    compare_number(result_, name_ + ".flip", draws.mirror ? 1 : 0,
                   about_.at("flip").get<bool>() ? 1 : 0, 0);
    if (draws.mirror) {
      pixels_HWC = pixels_HWC.flip(1);
      map_HW = map_HW.flip(1);
    }
    compare_stage("flipped", pixels_HWC, map_HW);
    image::Image distorted = image_of(pixels_HWC);
    loader::distort(draws.distortion, distorted.pixels.data(), distorted.rows * distorted.cols);
    compare_stage("distorted", tensor_of(distorted), {});
  }

  void crop(const loader::SceneDraws& draws, at::Tensor& pixels_HWC, at::Tensor& map_HW) const {
    const int64_t rows = std::min(options_.data.image_size[0], map_HW.size(0));
    const int64_t cols = std::min(options_.data.image_size[1], map_HW.size(1));
    const auto cut = [&](const at::Tensor& whole, int64_t top, int64_t left) {
      return whole.slice(0, top, top + rows).slice(1, left, left + cols).contiguous();
    };
    int tries = 0;
    int64_t top = 0, left = 0;
    at::Tensor seen;
    do {
      ++tries;
      top = draws.draw_offset(map_HW.size(0) - rows);
      left = draws.draw_offset(map_HW.size(1) - cols);
      seen = cut(map_HW, top, left);
    } while (tries < 11 &&
             !loader::shows_enough(map_of_classes(seen).classes, options_.pipeline.cat_max_ratio));
    compare_number(result_, name_ + ".crop_tries", tries, about_.at("crop_tries").get<double>(), 0);
    pixels_HWC = cut(pixels_HWC, top, left);
    map_HW = seen;
  }

  void compare_stage(const std::string& stage, const at::Tensor& pixels_HWC,
                     const at::Tensor& map_HW) {
    const nlohmann::json& digests = about_.at("sha256");
    if (digests.contains(stage)) {
      compare_digest(result_, name_ + "." + stage, pixels_HWC, digests.at(stage).at(0));
    }
    compare_stored(result_, name_ + "." + stage, pixels_HWC, stored_);
    if (!map_HW.defined()) return;
    if (digests.contains(stage)) {
      compare_digest(result_, name_ + "." + stage + "_label", map_HW, digests.at(stage).at(1));
    }
    compare_stored(result_, name_ + "." + stage + "_label", map_HW, stored_);
  }

  void as_the_loader() {
    const OneScene scene(image_of(image_), map_of_classes(raw_map_));
    const std::vector<int64_t>& size = options_.data.image_size;
    loader::Batch batch;
    batch.batch = 1;
    batch.rows = size[0];
    batch.cols = size[1];
    batch.channels = 3;
    batch.pixels_BHWC.resize(static_cast<size_t>(size[0] * size[1] * 3));
    loader::ClassMap map;
    batch.extents = {loader::read_scene_for_training(scene, 0, options_,
                                                     stored_draws(about_.at("draws"), options_),
                                                     batch.pixels_BHWC.data(), map)};
    compare_size(result_, name_ + ".cropped", batch.extents[0], about_.at("cropped"));
    const std::vector<float> values = loader::normalised_scene_pixels(batch, options_.data);
    const at::Tensor image_CHW = at::tensor(at::ArrayRef<float>(values), at::kFloat)
                                     .reshape({size[0], size[1], 3})
                                     .permute({2, 0, 1})
                                     .contiguous();
    compare_digest(result_, name_ + ".image", image_CHW, about_.at("sha256_image"));
    compare_digest(result_, name_ + ".label", tensor_of(map), about_.at("sha256_label"));
    const bool has_image = compare_stored(result_, name_ + ".image", image_CHW, stored_);
    const bool has_map = compare_stored(result_, name_ + ".label", tensor_of(map), stored_);
    if (!has_image || !has_map) add_fault(result_, name_ + ": no image or no label map is stored");
  }

  CaseResult& result_;
  std::string name_;
  const nlohmann::json& about_;
  const Tensors& stored_;
  at::Tensor image_, raw_map_;
  SceneOptions options_;
};

void train_pipeline(CaseResult& result, const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  const Tensors inputs = inputs_of(request, stored);
  const nlohmann::json cases = read_json(entry.folder / "train_pipeline.json");
  for (size_t i = 0; i < cases.size(); ++i) {
    TrainingCase(result, fmt::format("case{}", i), cases.at(i), inputs, stored).run();
  }
}

void test_pipeline(CaseResult& result, const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  const nlohmann::json cases = read_json(entry.folder / "test_pipeline.json");
  Tensors images;
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto size = cases.at(i).at("size").get<std::vector<int64_t>>();
    images[fmt::format("case{}.picture", i)] =
        procedural_image(seed_in(cases.at(i).at("picture")), size[0], size[1]);
  }
  images = inputs_of(request, images);
  for (size_t i = 0; i < cases.size(); ++i) {
    const nlohmann::json& about = cases.at(i);
    const std::string name = fmt::format("case{}", i);
    loader::PipelineOptions pipeline;
    pipeline.scale = about.at("scale").get<std::vector<int64_t>>();
    const image::Image resized =
        loader::scene_for_testing(image_of(images.at(name + ".picture")), pipeline);
    compare_size(result, name + ".resized", {resized.rows, resized.cols}, about.at("resized"));
    compare_digest(result, name + ".resized", tensor_of(resized), about.at("sha256_resized"));
    compare_stored(result, name + ".resized", tensor_of(resized), stored);
    const std::vector<float> values = loader::normalised_scene_pixels(resized, {});
    const at::Tensor image_CHW = at::tensor(at::ArrayRef<float>(values), at::kFloat)
                                     .reshape({resized.rows, resized.cols, 3})
                                     .permute({2, 0, 1})
                                     .contiguous();
    compare_digest(result, name + ".image", image_CHW, about.at("sha256_image"));
    compare_stored(result, name + ".image", image_CHW, stored);
  }
}

void resize(CaseResult& result, const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  for (const auto& [name, tensor] : inputs_of(request, stored)) {
    const std::string stem = name.substr(0, name.find('.'));
    if (name.ends_with(".picture")) {
      const at::Tensor& wanted = stored.at(stem + ".bilinear");
      const image::Image got =
          image::resize_linear(image_of(tensor), wanted.size(0), wanted.size(1));
      compare_exactly(result, stem + ".bilinear", tensor_of(got), wanted);
    } else if (name.ends_with(".label")) {
      const at::Tensor& wanted = stored.at(stem + ".nearest");
      loader::ClassMap got{wanted.size(0), wanted.size(1), {}};
      got.classes.resize(static_cast<size_t>(wanted.numel()));
      image::resize_nearest({tensor.size(0), tensor.size(1), got.rows, got.cols},
                            map_of_classes(tensor).classes.data(), {0, 0, got.rows, got.cols},
                            got.classes.data());
      compare_exactly(result, stem + ".nearest", tensor_of(got), wanted);
    } else if (!name.ends_with(".bilinear") && !name.ends_with(".nearest")) {
      add_fault(result, name + " is stored, but this case does not know the name");
    }
  }
}

void resize_sizes(CaseResult& result, const Entry& entry) {
  for (const nlohmann::json& one : read_json(entry.path())) {
    const loader::Extent got = loader::fitted_size({one.at("height"), one.at("width")},
                                                   one.at("scale").get<std::vector<int64_t>>());
    compare_size(result, one.dump(), got, {one.at("new_height"), one.at("new_width")});
  }
}

// All triples of bytes whose first byte is below `first`, in lexicographic order. [N, 3]
at::Tensor all_triples(int64_t first) {
  const auto all = at::meshgrid({at::arange(first), at::arange(256), at::arange(256)}, "ij");
  return at::stack(all, -1).reshape({-1, 3}).to(at::kByte);
}

at::Tensor converted(const at::Tensor& bytes, void (*convert)(uint8_t*, int64_t)) {
  at::Tensor copy = bytes.clone();
  convert(copy.mutable_data_ptr<uint8_t>(), copy.numel() / 3);
  return copy;
}

void colour(CaseResult& result, const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  const Tensors inputs = inputs_of(request, stored);
  compare_exactly(result, "hsv_of_rgb", converted(inputs.at("rgb"), image::hsv_from_rgb),
                  stored.at("hsv_of_rgb"));
  compare_exactly(result, "rgb_of_hsv", converted(inputs.at("hsv"), image::rgb_from_hsv),
                  stored.at("rgb_of_hsv"));
  const nlohmann::json digests = read_json(entry.folder / "colour.json");
  compare_digest(result, "rgb_to_hsv_all", converted(all_triples(256), image::hsv_from_rgb),
                 digests.at("rgb_to_hsv_all"));
  compare_digest(result, "hsv_to_rgb_all", converted(all_triples(180), image::rgb_from_hsv),
                 digests.at("hsv_to_rgb_all"));
}

void colour_convert(CaseResult& result, const Entry& entry, const Request& request) {
  const Tensors stored = read_tensors(entry.path());
  at::Tensor factors = at::empty({std::ssize(entry.about.at("factors")), 2}, at::kDouble);
  for (int64_t k = 0; k < factors.size(0); ++k) {
    for (int64_t i = 0; i < 2; ++i) {
      factors[k][i] = entry.about.at("factors").at(static_cast<size_t>(k)).at(i).get<double>();
    }
  }
  factors = inputs_of(request, {{"factors", factors}}).at("factors");
  for (int64_t k = 0; k < factors.size(0); ++k) {
    const auto compare_table = [&](const std::string& name, double factor, double added) {
      const auto table = loader::scaled_bytes(factor, added);
      compare_exactly(result, name, bytes_of({table.begin(), table.end()}, {256}), stored.at(name));
    };
    compare_table(fmt::format("multiply.{}", k), factors[k][0].item<double>(), 0);
    compare_table(fmt::format("add.{}", k), 1, factors[k][1].item<double>());
  }
}

void zero_label(CaseResult& result, const Entry& entry) {
  loader::ClassMap map{1, 256, {}};
  for (int value = 0; value < 256; ++value) map.classes.push_back(static_cast<uint8_t>(value));
  SceneOptions options;
  options.classes = 255;
  loader::reduce_classes(map, options, "every value");
  const auto wanted = read_json(entry.path()).get<std::vector<uint8_t>>();
  compare_exactly(result, "values", bytes_of(map.classes, {256}), bytes_of(wanted, {256}));
}

void crop_rule(CaseResult& result, const Entry& entry, const Request& request) {
  const Tensors labels = inputs_of(request, read_tensors(entry.path()));
  const auto accepted = read_json(entry.folder / "crop_rule.json").get<std::vector<bool>>();
  for (size_t k = 0; k < accepted.size(); ++k) {
    const std::string name = fmt::format("label.{}", k);
    const bool got = loader::shows_enough(map_of_classes(labels.at(name)).classes, 0.75);
    compare_number(result, name, got ? 1 : 0, accepted[k] ? 1 : 0, 0);
  }
}

}  // namespace

std::vector<CaseResult> scene_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file + " [exact]", [&](CaseResult& result) {
    const std::string name = entry.stem();
    if (name == "train_pipeline") return train_pipeline(result, entry, request);
    if (name == "test_pipeline") return test_pipeline(result, entry, request);
    if (name == "resize") return resize(result, entry, request);
    if (name == "resize_sizes") return resize_sizes(result, entry);
    if (name == "colour") return colour(result, entry, request);
    if (name == "colour_convert") return colour_convert(result, entry, request);
    if (name == "colour_reduce_zero_label") return zero_label(result, entry);
    require(name == "crop_rule", "scene_cases: {}", name);
    crop_rule(result, entry, request);
  });
  return results;
}

}  // namespace fcm::parity
