#include "fcm/loader/augment.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/image/augment.h"
#include "fcm/loader/transform.h"

namespace fcm::loader {
namespace {

constexpr double kMostMagnitude = 10;
constexpr uint64_t kOperations = 15;
constexpr double kApplied = 0.5;  // probability of each drawn operation

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find('-');
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// The number after `key`, if `part` is the key followed by a number and nothing else.
std::optional<double> number_after(std::string_view part, std::string_view key) {
  if (!part.starts_with(key)) return std::nullopt;
  part.remove_prefix(key.size());
  double value = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (error != std::errc{} || end != part.data() + part.size()) return std::nullopt;
  return value;
}

// Applies one of timm's fifteen increasing operations, numbered in timm's order. `level` is 0 to 1;
// `sign` is the direction of operations that have one.
void apply_operation(image::Image& image, uint64_t operation, double level, double sign,
                     image::Interpolation interpolation, const std::vector<uint8_t>& fill) {
  const auto whole = [&](double most) { return static_cast<int>(level * most); };
  const auto move = [&](const image::Affine& matrix) {
    image::transform(image, matrix, interpolation, fill);
  };
  const double factor = 1.0 + sign * (level * 0.9);
  const double shear = sign * (level * 0.3);
  const double shift = sign * (level * 0.45);
  switch (operation) {
    case 0:
      return image::autocontrast(image);
    case 1:
      return image::equalize(image);
    case 2:
      return image::invert(image);
    case 3:
      return image::rotate(image, sign * (level * 30.0), interpolation, fill);
    case 4:
      return image::posterize(image, 4 - whole(4));
    case 5:
      return image::solarize(image, 256 - whole(256));
    case 6:
      return image::solarize_add(image, whole(110));
    case 7:
      return image::change_color(image, factor);
    case 8:
      return image::change_contrast(image, factor);
    case 9:
      return image::change_brightness(image, factor);
    case 10:
      return image::change_sharpness(image, factor);
    case 11:
      return move({1, shear, 0, 0, 1, 0});
    case 12:
      return move({1, 0, 0, shear, 1, 0});
    case 13:
      return move({1, 0, shift * static_cast<double>(image.cols), 0, 1, 0});
    default:
      return move({1, 0, 0, 0, 1, shift * static_cast<double>(image.rows)});
  }
}

// torchvision's ColorJitter without hue: brightness, contrast and saturation in random order, each
// by a factor drawn from 1 - strength to 1 + strength.
void jitter(image::Image& image, double strength, KeyedRandom& random) {
  std::array changes{image::change_brightness, image::change_contrast, image::change_color};
  std::swap(changes[0], changes[random.below(3)]);
  std::swap(changes[1], changes[1 + random.below(2)]);
  for (const auto change : changes) {
    change(image, 1 + strength * (2 * random.uniform_double() - 1));
  }
}

}  // namespace

RandAugment parse_rand_augment(const std::string& text) {
  const auto refuse = [&](std::string_view part) {
    fail(ExitCode::kUsage,
         "augment.rand_augment is \"{}\", but \"{}\" is not understood; write "
         "rand-m9-mstd0.5-inc1: m is 0 to 10, mstd 0 to 10, n (if given) 1 to 15, inc 1",
         text, part);
  };
  RandAugment result;
  bool increasing = false;
  const auto parts = parts_of(text);
  if (parts[0] != "rand") refuse(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) {
    if (const auto stddev = number_after(parts[i], "mstd");
        stddev && *stddev >= 0 && *stddev <= kMostMagnitude) {
      result.stddev = *stddev;
    } else if (const auto m = number_after(parts[i], "m"); m && *m >= 0 && *m <= kMostMagnitude) {
      result.magnitude = *m;
    } else if (const auto n = number_after(parts[i], "n");
               n && *n >= 1 && *n <= 15 && *n == std::floor(*n)) {
      result.layers = static_cast<int64_t>(*n);
    } else if (parts[i] == "inc1") {
      increasing = true;
    } else {
      refuse(parts[i]);
    }
  }
  if (!increasing) refuse("no inc1");
  return result;
}

Augmenter::Augmenter(const DataOptions& data, const AugmentOptions& options)
    : data_(data), color_jitter_(options.color_jitter) {
  if (!options.rand_augment.empty()) rand_augment_ = parse_rand_augment(options.rand_augment);
  for (const double mean : data.mean) {
    fill_.push_back(static_cast<uint8_t>(std::clamp(std::nearbyint(mean * 255), 0.0, 255.0)));
  }
}

void Augmenter::apply(uint8_t* pixels, uint64_t seed, uint64_t epoch, uint64_t sample) const {
  if (!rand_augment_ && color_jitter_ == 0) return;
  image::Image image{data_.image_size[0], data_.image_size[1], data_.channels, {}};
  const int64_t bytes = image.rows * image.cols * image.channels;
  image.pixels.assign(pixels, pixels + bytes);
  if (rand_augment_) {
    KeyedRandom random(seed, Purpose::kRandAugment, epoch, sample);
    for (int64_t layer = 0; layer < rand_augment_->layers; ++layer) {
      const uint64_t operation = random.below(kOperations);
      if (random.uniform_double() > kApplied) continue;
      const double drawn = rand_augment_->magnitude + rand_augment_->stddev * random.normal();
      const double level = std::clamp(drawn, 0.0, kMostMagnitude) / kMostMagnitude;
      const double sign = random.uniform_double() > 0.5 ? -1 : 1;
      apply_operation(image, operation, level, sign, interpolation_of(data_), fill_);
    }
  } else {
    KeyedRandom random(seed, Purpose::kColourJitter, epoch, sample);
    jitter(image, color_jitter_, random);
  }
  std::copy(image.pixels.begin(), image.pixels.end(), pixels);
}

}  // namespace fcm::loader
