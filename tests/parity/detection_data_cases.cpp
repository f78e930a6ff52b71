// Data of detection: images and annotations in frames, sizes, mask targets.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "fcm/base/error.h"
#include "fcm/image/mask_target.h"
#include "fcm/image/polygon_raster.h"
#include "fcm/loader/frame.h"
#include "fcm/loader/frame_testing.h"
#include "tests/parity/detection_cases.h"
#include "tests/parity/scene_files.h"
#include "tests/support/coco_set.h"

namespace fcm::parity {
namespace {

using DetectionJson = nlohmann::json;
using Outlines = std::vector<std::vector<double>>;
using loader::FrameLayout;
using loader::Instance;
using loader::Instances;

// The largest relative rounding error of float32, in which boxes and figures are stored.
constexpr double kSinglePrecision = 0x1p-24;

FrameLayout stored_layout(const DetectionJson& one) {
  return loader::layout_for_training({one.at("h"), one.at("w")}, one.value("target", int64_t{1024}),
                                     {one.at("scale"), one.at("crop_u"), one.at("flip")});
}

void compare_layout(CaseResult& result, const std::string& name, const FrameLayout& got,
                    const DetectionJson& one) {
  ++result.tensors;
  const DetectionJson resized{got.resized.rows, got.resized.cols}, offset{got.top, got.left};
  if (resized != one.at("resized") || offset != one.at("crop_offset_yx")) {
    add_fault(result,
              fmt::format("{}: {} from {}, not {} from {}", name, resized.dump(), offset.dump(),
                          one.at("resized").dump(), one.at("crop_offset_yx").dump()));
  }
}

// A dataset of one image without objects.
class OneFrame final : public loader::Dataset {
 public:
  explicit OneFrame(image::Image image) : image_(std::move(image)) {}
  int64_t size() const override { return 1; }
  image::Image get(int64_t, int64_t) const override { return image_; }
  int64_t label(int64_t) const override { return -1; }
  std::string name(int64_t) const override { return "the stored image"; }
  const std::vector<std::string>& classes() const override { return none_; }
  Instances instances(int64_t) const override { return {1, image_.rows, image_.cols, {}}; }

 private:
  image::Image image_;
  std::vector<std::string> none_;
};

void lsj_images(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.path());
  const DetectionJson cases = read_json(entry.folder / (entry.stem() + ".json"));
  for (size_t k = 0; k < cases.size(); ++k) {
    const DetectionJson& one = cases.at(k);
    const std::string name = fmt::format("out.{}", k);
    compare_layout(result, name, stored_layout(one), one);
    const int64_t side = one.at("target");
    loader::FrameOptions options;
    options.data.image_size = {side, side};
    std::vector<uint8_t> pixels(static_cast<size_t>(side * side * 3));
    Instances truth;
    const OneFrame dataset(
        procedural_bytes(fmt::format("picture.{}", k), 1, one.at("h"), one.at("w")));
    loader::read_frame_for_training(dataset, 0, options,
                                    {one.at("scale"), one.at("crop_u"), one.at("flip")},
                                    pixels.data(), truth);
    const at::Tensor got = bytes_of(pixels, {side, side, 3});
    ++result.tensors;
    if (const std::string digest = digest_of(got); digest != one.at("sha256").get<std::string>()) {
      add_fault(result, fmt::format("{}: SHA-256 {}, not {}", name, digest,
                                    one.at("sha256").get<std::string>()));
    }
    if (stored.contains(name)) {
      compare_exactly(result, name, got, stored.at(name));
    } else {
      compare_exactly(result, name, got.flatten().index_select(0, stored.at(name + ".idx")),
                      stored.at(name + ".val"));
    }
  }
}

void test_resize(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.path());
  loader::FrameOptions options;
  options.data.image_size = {128, 128};
  for (size_t k = 0; k < entry.about.at("sizes").size(); ++k) {
    const DetectionJson& size = entry.about.at("sizes").at(k);
    const std::string name = fmt::format("out.{}", k);
    const image::Image image =
        procedural_bytes(fmt::format("test_picture.{}", k), 4, size.at(0), size.at(1));
    const loader::TestFrame got = loader::frame_for_testing(image, options);
    compare_exactly(result, name, tensor_of(got.frame), stored.at(name));
    ++result.tensors;
    if (DetectionJson{got.shown.rows, got.shown.cols} != DetectionJson{size.at(2), size.at(3)}) {
      add_fault(result, fmt::format("{}: the image covers {} x {} of the frame, not {}", name,
                                    got.shown.rows, got.shown.cols, size.dump()));
    }
    if (k > 0) continue;
    // The padding has the value 128 before normalisation, so it is not 0 after it.
    const at::Tensor mean = at::tensor({123.675, 116.28, 103.53}, at::kDouble);
    const at::Tensor stddev = at::tensor({58.395, 57.12, 57.375}, at::kDouble);
    const at::Tensor normalised = ((tensor_of(got.frame).to(at::kDouble) - mean) / stddev)
                                      .permute({2, 0, 1})
                                      .slice(1, 0, 128, 8)
                                      .slice(2, 0, 128, 8);
    compare(result, "normalised.0", normalised, stored.at("normalised.0"), 4 * kSinglePrecision);
  }
}

void lsj_sizes(CaseResult& result, const Entry& entry) {
  const DetectionJson sizes = read_json(entry.path());
  const auto compare_row = [&](const std::vector<int64_t>& got, const DetectionJson& row) {
    ++result.tensors;
    const std::vector<double> numbers = row;  // image size, any draws, expected result
    if (!std::ranges::equal(got, std::span(numbers).last(got.size()))) {
      add_fault(result, fmt::format("{} gives {}", row.dump(), DetectionJson(got).dump()));
    }
  };
  for (const DetectionJson& row : sizes.at("train")) {
    const FrameLayout got =
        loader::layout_for_training({row.at(0), row.at(1)}, 1024, {row.at(2), row.at(3), false});
    compare_row({got.resized.rows, got.resized.cols, got.top, got.left}, row);
  }
  for (const DetectionJson& row : sizes.at("test")) {
    const FrameLayout got = loader::layout_for_testing({row.at(0), row.at(1)}, 1024);
    compare_row({got.resized.rows, got.resized.cols}, row);
  }
}

double area_of(const Outlines& outlines) {
  double area = 0;
  for (const std::vector<double>& xy : outlines) {
    double twice = 0;
    for (size_t i = 0, count = xy.size() / 2; i < count; ++i) {
      const size_t next = (i + 1) % count;
      twice += xy[2 * i] * xy[2 * next + 1] - xy[2 * next] * xy[2 * i + 1];
    }
    area += std::abs(twice) / 2;
  }
  return area;
}

at::Tensor box_of(const std::array<double, 4>& box) {
  return at::tensor(at::ArrayRef<double>(box), at::kDouble);
}
at::Tensor stored_box(const DetectionJson& box) { return box_of(box.get<std::array<double, 4>>()); }

// Whether the kept annotations are those with the stored ids; if not, adds a fault.
bool compare_kept(CaseResult& result, const std::string& name, const Instances& got,
                  const DetectionJson& kept) {
  DetectionJson ids = DetectionJson::array();
  for (const Instance& one : got.instances) ids.push_back(one.annotation);
  ++result.tensors;
  if (ids == kept) return true;
  add_fault(result, fmt::format("{} keeps {}, not {}", name, ids.dump(), kept.dump()));
  return false;
}

struct StoredAnnotations {
  Instances whole;
  std::map<int64_t, bool> crosses_itself;  // upstream repairs such polygons: not compared
};

StoredAnnotations stored_annotations(const DetectionJson& one) {
  StoredAnnotations stored{{1, one.at("h"), one.at("w"), {}}, {}};
  for (const DetectionJson& annotation : one.at("annotations")) {
    Instance instance;
    instance.annotation = annotation.at("id");
    instance.crowd = annotation.at("iscrowd") == 1;
    const DetectionJson& shape = annotation.at("segmentation");
    if (shape.is_array()) {
      instance.outlines = shape.get<Outlines>();
    } else {
      instance.mask = test::coco_mask(shape, stored.whole.rows, stored.whole.cols);
    }
    stored.crosses_itself[instance.annotation] = annotation.value("self_crossing", false);
    stored.whole.instances.push_back(std::move(instance));
  }
  return stored;
}

void lsj_annotations(CaseResult& result, const Entry& entry) {
  const DetectionJson cases = read_json(entry.path());
  for (size_t k = 0; k < cases.size(); ++k) {
    const DetectionJson& one = cases.at(k);
    const StoredAnnotations stored = stored_annotations(one);
    const FrameLayout layout = stored_layout(one);
    const std::string name = fmt::format("case {}", k);
    compare_layout(result, name, layout, one);
    const Instances got = loader::instances_in_frame(stored.whole, layout);
    const DetectionJson& polygon = one.at("polygon");
    if (!compare_kept(result, name, got, polygon.at("kept"))) continue;
    std::map<int64_t, image::RunLengths> masks;
    for (size_t i = 0; i < got.instances.size(); ++i) {
      const Instance& instance = got.instances[i];
      const std::string here = fmt::format("{}.{}", name, instance.annotation);
      const auto& mask = masks[instance.annotation] =
          loader::mask_of(instance, layout.side, layout.side);
      if (stored.crosses_itself.at(instance.annotation)) continue;
      compare(result, here + ".box", box_of(instance.box), stored_box(polygon.at("boxes").at(i)),
              kSinglePrecision);
      compare_number(result, here + ".area", area_of(instance.outlines),
                     area_of(polygon.at("polygons").at(i).get<Outlines>()), 1e-8);
      ++result.tensors;
      if (image::run_lengths_text(mask) != polygon.at("rle").at(i).get<std::string>()) {
        add_fault(result, here + " has another mask");
      }
    }
    // With bitmaps instead of polygons the masks are the same, and boxes enclose their pixels.
    const DetectionJson& bitmask = one.at("bitmask");
    for (size_t i = 0; i < bitmask.at("kept").size(); ++i) {
      const int64_t id = bitmask.at("kept").at(i);
      if (stored.crosses_itself.at(id)) continue;
      const auto [x, y, width, height] = image::mask_box(masks.at(id));
      compare(result, fmt::format("{}.{}.bitmask box", name, id),
              box_of({x, y, x + width, y + height}), stored_box(bitmask.at("boxes").at(i)), 0);
    }
  }
}

void lsj_coco_sample(CaseResult& result, const Entry& entry) {
  // Resolves links, so that a changed copy of the set (changed_set.h) finds the sample too.
  const auto folder = std::filesystem::canonical(entry.folder / "lsj_sizes.json").parent_path();
  const auto dataset =
      loader::open_dataset((folder / "../../data/coco-sample").string(), loader::Split::kTrain);
  std::map<int64_t, int64_t> index_of;
  for (int64_t i = 0; i < dataset->size(); ++i) index_of[dataset->image_record(i).image] = i;
  constexpr double kPixels = 2;  // the bound in the set's README
  for (const DetectionJson& one : read_json(entry.path())) {
    const int64_t image = one.at("image_id");
    const std::string name = fmt::format("picture {}", image);
    const FrameLayout layout = stored_layout(one);
    compare_layout(result, name, layout, one);
    const Instances got =
        loader::instances_in_frame(dataset->instances(index_of.at(image)), layout);
    if (!compare_kept(result, name, got, one.at("kept"))) continue;
    for (size_t i = 0; i < got.instances.size(); ++i) {
      const Instance& instance = got.instances[i];
      const std::string here = fmt::format("{}.{}", name, instance.annotation);
      compare(result, here + ".box", box_of(instance.box), stored_box(one.at("boxes").at(i)),
              kSinglePrecision);
      compare_number(result, here + ".area", area_of(instance.outlines),
                     one.at("polygon_area").at(i), 1e-8);
      const auto pixels = static_cast<double>(
          image::mask_area(loader::mask_of(instance, layout.side, layout.side)));
      ++result.tensors;
      if (std::abs(pixels - one.at("raster_area").at(i).get<double>()) > kPixels) {
        add_fault(result, fmt::format("{} covers {} pixels", here, pixels));
      }
    }
  }
}

void mask_targets(CaseResult& result, const Entry& entry) {
  const Tensors stored = read_tensors(entry.path());
  const DetectionJson about = read_json(entry.folder / "mask_targets.json");
  const int64_t rows = about.at("image").at(0), cols = about.at("image").at(1);
  constexpr int64_t kSide = 28;
  for (size_t k = 0; k < about.at("items").size(); ++k) {
    const DetectionJson& item = about.at("items").at(k);
    const auto outlines = item.at("polygons").get<Outlines>();
    const auto box = item.at("box").get<std::array<float, 4>>();
    const std::string polygon = fmt::format("polygon.{:02}", k),
                      bitmask = fmt::format("bitmask.{:02}", k);
    compare_exactly(result, polygon,
                    bytes_of(image::mask_target(outlines, box, kSide), {kSide, kSide}),
                    stored.at(polygon));
    const at::Tensor got =
        bytes_of(image::mask_target(image::raster_polygons(outlines, rows, cols), box, kSide),
                 {kSide, kSide});
    // The file counts the cells within 1e-5 of 0.5. There rounding in float32 may decide the bit.
    ++result.tensors;
    const auto differing = got.ne(stored.at(bitmask)).sum().item<int64_t>();
    if (differing > item.at("bitmask_cells_within_1e5_of_half").get<int64_t>()) {
      add_fault(result, fmt::format("{}: {} cells differ", bitmask, differing));
    }
  }
}

}  // namespace

std::vector<CaseResult> detection_data_cases(const Entry& entry, const Request& request) {
  static const std::map<std::string, void (*)(CaseResult&, const Entry&)> themes{
      {"lsj_images", lsj_images},
      {"lsj_images_1024", lsj_images},
      {"lsj_sizes", lsj_sizes},
      {"lsj_annotations", lsj_annotations},
      {"lsj_coco_sample", lsj_coco_sample},
      {"test_resize", test_resize},
      {"mask_targets", mask_targets}};
  std::vector<CaseResult> results;
  add_case(results, request, "detection/" + entry.file + " [exact]",
           [&](CaseResult& result) { themes.at(entry.stem())(result, entry); });
  return results;
}

}  // namespace fcm::parity
