// Cases of the kinds transforms (crop and resize, bit-identical to Pillow) and photo (images
// decoded as by Pillow).
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/image/image.h"
#include "fcm/image/resize_window.h"
#include "fcm/ops/patchify/op.h"
#include "tests/parity/cases.h"

namespace fcm::parity {
namespace {

namespace fs = std::filesystem;
using image::Image;
using image::Interpolation;

Image decode_file(const fs::path& path) {
  const std::string bytes = read_file(path, ExitCode::kData);
  return image::decode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, 3);
}

at::Tensor as_tensor(const std::vector<uint8_t>& pixels) {
  return at::tensor(at::ArrayRef<uint8_t>(pixels), at::kByte);
}

// The image of NAME.golden.safetensors: photos/NAME, or a lossless copy of its pixels.
Image photo_of(const Entry& entry) {
  const std::string name = fs::path(entry.file).filename().string();
  const fs::path photo =
      entry.path().parent_path() / "photos" / name.substr(0, name.find(".golden"));
  const fs::path copy = photo.string() + ".decoded.png";
  return decode_file(fs::exists(copy) ? copy : photo);
}

// The name "box07.bicubic.96" means box 7, filter bicubic and size 96.
at::Tensor crop(const Image& photo, const std::string& name, const at::Tensor& boxes) {
  std::smatch match;
  require(std::regex_match(name, match, std::regex(R"(box(\d+)\.(\w+)\.(\d+))")),
          "{} is stored, but this case does not know the name", name);
  const at::Tensor box = boxes[std::stol(match[1])];  // left, top, width, height
  const auto at = [&](int64_t i) { return box[i].item<int64_t>(); };
  const int64_t size = std::stol(match[3]);
  std::vector<uint8_t> out(static_cast<size_t>(size * size * 3));
  image::crop_resize(photo, {at(1), at(0), at(3), at(2)}, size, size,
                     match[2] == "bicubic" ? Interpolation::kBicubic : Interpolation::kBilinear,
                     /*mirror=*/false, out.data());
  return as_tensor(out);
}

// The name "eval256_224.bicubic" means: resize the shorter side to 256, then crop the central
// 224 x 224 pixels. Returns [size, size, 3]; here the size is 224.
at::Tensor evaluation_view(const Image& photo, const std::string& name) {
  std::smatch match;
  require(std::regex_match(name, match, std::regex(R"(eval(\d+)_(\d+)\.(bicubic|normalised))")),
          "{} is stored, but this case does not know the name", name);
  const int64_t shorter = std::stol(match[1]), size = std::stol(match[2]);
  const int64_t least = std::min(photo.rows, photo.cols);
  const int64_t rows = shorter * photo.rows / least, cols = shorter * photo.cols / least;
  const auto middle = [&](int64_t extent) {  // rounds halves to even, like torchvision's CenterCrop
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(extent - size) / 2));
  };
  std::vector<uint8_t> out(static_cast<size_t>(size * size * 3));
  image::resize_window(photo, rows, cols, {middle(rows), middle(cols), size, size},
                       Interpolation::kBicubic, out.data());
  return as_tensor(out).reshape({size, size, 3});
}

// The image as normalised by the operator that cuts patches. Returns [3, size, size].
at::Tensor normalised(const at::Tensor& image_HWC) {
  const int64_t size = image_HWC.size(0);
  const ops::PatchGeometry geometry{{size}};  // one patch
  const at::Tensor order_BL = at::zeros({1, 1}, at::kLong);
  const at::Tensor patch =
      ops::patchify(image_HWC.unsqueeze(0), order_BL, geometry,
                    {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}}, at::kFloat);
  return ops::unpatchify(patch.reshape({1, 1, -1}), order_BL, geometry, 1, 1);
}

void transforms(CaseResult& result, const Entry& entry) {
  const Image photo = photo_of(entry);
  const Tensors stored = read_tensors(entry.path());
  for (const auto& [name, wanted] : stored) {
    if (name == "boxes") continue;
    if (name.ends_with(".normalised")) {
      compare(result, name, normalised(evaluation_view(photo, name)), wanted, 0x1p-22);
    } else if (name.starts_with("eval")) {
      compare_exactly(result, name, evaluation_view(photo, name), wanted);
    } else {
      compare_exactly(result, name, crop(photo, name, stored.at("boxes")), wanted);
    }
  }
}

void photo(CaseResult& result, const Entry& entry) {
  const Image image = decode_file(entry.path());
  ++result.tensors;
  const nlohmann::json size = entry.about.value("size", nlohmann::json());
  if (!size.is_null() && (size.at(0) != image.cols || size.at(1) != image.rows)) {
    add_fault(result, fmt::format("{} x {} pixels", image.cols, image.rows));
  }
  const fs::path copy = entry.path().string() + ".decoded.png";
  if (!fs::exists(copy)) return;
  compare_exactly(result, "pixels", as_tensor(image.pixels), as_tensor(decode_file(copy).pixels));
}

}  // namespace

std::vector<CaseResult> image_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file, [&](CaseResult& result) {
    entry.kind() == "photo" ? photo(result, entry) : transforms(result, entry);
  });
  return results;
}

}  // namespace fcm::parity
