#include "fcm/formats/diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <string_view>

namespace fcm::formats {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename T>
T element(const std::byte* place) {
  T value;
  std::memcpy(&value, place, sizeof value);
  return value;
}

template <typename T>
double number(const std::byte* place) {
  return static_cast<double>(element<T>(place));
}

double bfloat16(const std::byte* place) {
  return std::bit_cast<float>(uint32_t{element<uint16_t>(place)} << 16);
}

double float16(const std::byte* place) {
  const uint16_t bits = element<uint16_t>(place);
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023;
  double magnitude = std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 0) magnitude = std::ldexp(fraction, -24);
  if (exponent == 31) magnitude = fraction == 0 ? kInfinity : std::nan("");
  return bits >> 15 ? -magnitude : magnitude;
}

struct Type {
  std::string_view name;
  size_t bytes;
  double (*read)(const std::byte*);
};

constexpr Type kReadableTypes[] = {
    {"F32", 4, number<float>},    {"F64", 8, number<double>},  {"BF16", 2, bfloat16},
    {"F16", 2, float16},          {"I64", 8, number<int64_t>}, {"I32", 4, number<int32_t>},
    {"I16", 2, number<int16_t>},  {"I8", 1, number<int8_t>},   {"U8", 1, number<uint8_t>},
    {"BOOL", 1, number<uint8_t>},
};

const Type* type_of(const TensorView& view) {
  const auto* found = std::find_if(std::begin(kReadableTypes), std::end(kReadableTypes),
                                   [&](const Type& type) { return type.name == view.dtype; });
  return found == std::end(kReadableTypes) ? nullptr : found;
}

bool same_bytes(const TensorView& first, const TensorView& second) {
  return first.bytes.size() == second.bytes.size() &&
         (first.bytes.empty() ||
          std::memcmp(first.bytes.data(), second.bytes.data(), first.bytes.size()) == 0);
}

void compare_values(const TensorView& first, const TensorView& second,
                    TensorDifference& difference) {
  const Type *left = type_of(first), *right = type_of(second);
  if (left == nullptr || right == nullptr) {
    difference.max_abs = difference.max_rel = kInfinity;
    return;
  }
  double largest = 0;
  const size_t count = first.bytes.size() / left->bytes;
  for (size_t i = 0; i < count; ++i) {
    const double a = left->read(first.bytes.data() + i * left->bytes);
    const double b = right->read(second.bytes.data() + i * right->bytes);
    if (std::isfinite(b)) largest = std::max(largest, std::abs(b));
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double error = std::abs(a - b);
    difference.max_abs = std::max(difference.max_abs, std::isfinite(error) ? error : kInfinity);
  }
  difference.max_rel = difference.max_abs == 0 ? 0 : difference.max_abs / largest;
}

std::string described(const TensorView& view) {
  return fmt::format("{} [{}]", view.dtype, fmt::join(view.shape, ", "));
}

TensorDifference compare(const TensorView& first, const TensorView& second) {
  TensorDifference difference;
  difference.name = first.name;
  const bool same_type = first.dtype == second.dtype, same_shape = first.shape == second.shape;
  difference.equal_bits = same_type && same_shape && same_bytes(first, second);
  if (!same_type || !same_shape) {
    difference.note = fmt::format("{} and {}", described(first), described(second));
  }
  if (!same_shape) {
    difference.max_abs = difference.max_rel = kInfinity;
  } else if (!difference.equal_bits) {
    compare_values(first, second, difference);
  }
  return difference;
}

}  // namespace

bool Comparison::equal() const {
  return only_in_first.empty() && only_in_second.empty() &&
         std::all_of(common.begin(), common.end(),
                     [](const TensorDifference& one) { return one.equal_bits; });
}

Comparison compare(std::span<const TensorView> first, std::span<const TensorView> second) {
  std::map<std::string_view, const TensorView*> rest;
  for (const TensorView& tensor : second) rest[tensor.name] = &tensor;
  Comparison comparison;
  for (const TensorView& tensor : first) {
    const auto found = rest.find(tensor.name);
    if (found == rest.end()) {
      comparison.only_in_first.push_back(tensor.name);
      continue;
    }
    comparison.common.push_back(compare(tensor, *found->second));
    rest.erase(found);
  }
  for (const TensorView& tensor : second) {
    if (rest.contains(tensor.name)) comparison.only_in_second.push_back(tensor.name);
  }
  return comparison;
}

}  // namespace fcm::formats
