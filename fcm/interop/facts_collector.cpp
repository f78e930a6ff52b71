#include "fcm/interop/facts_collector.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "fcm/base/text.h"

namespace fcm::interop {
namespace {

using nlohmann::json;

constexpr int64_t kMostNumber = 1 << 20;

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && rest == end ? std::optional(number) : std::nullopt;
}

std::string lower(std::string text) {
  for (char& one : text) one = static_cast<char>(std::tolower(static_cast<unsigned char>(one)));
  return text;
}

// The name of a Pillow filter that is given as a number or as a name, with or without its class.
std::string filter_named(const json& value) {
  constexpr std::array kFilters = {"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"};
  const std::optional<double> number = finite(value);
  if (number && *number == std::trunc(*number) && *number >= 0 &&
      *number < static_cast<double>(kFilters.size())) {
    return kFilters[static_cast<size_t>(*number)];
  }
  const std::string name = lower(text_in(value));
  const std::string last = name.substr(name.rfind('.') + 1);  // npos + 1 is 0
  if (last == "cubic") return "bicubic";
  return last == "linear" ? "bilinear" : last;
}

bool all_above(const std::vector<double>& numbers, double bound) {
  return std::all_of(numbers.begin(), numbers.end(), [&](double one) { return one > bound; });
}

bool any_above(const std::vector<double>& numbers, double bound) {
  return std::any_of(numbers.begin(), numbers.end(), [&](double one) { return one > bound; });
}

// The range of pixels that mean and std refer to: 0 to 1, or 0 to 255. Some files have values for 0
// to 255, although their programs use 0 to 1.
enum class Units { kOne, k255, kMixed };

Units units_of(const std::vector<double>& means, const std::vector<double>& stddevs) {
  constexpr double kMostMean = 2, kMostStddev = 10;
  const bool large_means = any_above(means, kMostMean);
  const bool large_stddevs = any_above(stddevs, kMostStddev);
  if (!large_means && !large_stddevs) return Units::kOne;
  const bool no_means = !any_above(means, 0);
  const bool agree = (large_means || no_means) && all_above(stddevs, 0.99);
  return agree ? Units::k255 : Units::kMixed;
}

}  // namespace

const json& member(const json& object, std::string_view key) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

std::optional<double> finite(const json& value) {
  std::optional<double> number;
  if (value.is_number()) number = value.get<double>();
  if (value.is_string()) number = number_in<double>(value.get_ref<const std::string&>());
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::optional<int64_t> whole(const json& value) {
  const std::optional<double> number = finite(value);
  if (!number || *number != std::trunc(*number) || *number <= 0 || *number > kMostNumber) {
    return std::nullopt;
  }
  return static_cast<int64_t>(*number);
}

std::optional<bool> truth(const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer() && (value == 0 || value == 1)) return value == 1;
  const std::string text = lower(text_in(value));
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::string text_in(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<std::array<int64_t, 2>> extent(const json& value) {
  if (const auto side = whole(value)) return std::array{*side, *side};
  const bool pair = value.is_array() && value.size() == 2;
  const auto rows = whole(pair ? value[0] : member(value, "height"));
  const auto cols = whole(pair ? value[1] : member(value, "width"));
  if (!rows || !cols) return std::nullopt;
  return std::array{*rows, *cols};
}

std::optional<std::vector<double>> by_channel(const json& value) {
  if (const auto one = finite(value)) return std::vector{*one};
  if (!value.is_array() || value.empty() || value.size() > 3) return std::nullopt;
  std::vector<double> numbers;
  for (const json& item : value) {
    const auto number = finite(item);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

FactsCollector::FactsCollector(std::string file, std::string inside)
    : file_(std::move(file)), inside_(std::move(inside)) {
  facts_["source"] = file_;
}

void FactsCollector::continue_with(std::string file, std::string inside) {
  file_ = std::move(file);
  inside_ = std::move(inside);
}

std::string FactsCollector::says(const char* name, const json& value) const {
  return fmt::format("{} says {}{} = {}", file_, inside_, name,
                     printable(value.dump(-1, ' ', false, json::error_handler_t::replace)));
}

void FactsCollector::take_heads(const char* key, const json& object, const char* name) {
  const json& value = member(object, name);
  // Only a Swin's config has a list; its heads are inferred from the tensors.
  if (value.is_null() || value.is_array()) return;
  if (const auto heads = whole(value)) {
    take(key, *heads);
    facts_["names"][key] = says(name, value);
  } else {
    mark_unusable(key, says(name, value) + ", expected a whole number above 0");
  }
}

void FactsCollector::take_epsilon(const json& object, const char* name) {
  const json& value = member(object, name);
  if (value.is_null()) return;
  const auto epsilon = finite(value);
  if (epsilon && *epsilon >= 1e-15 && *epsilon <= 0.1) {
    take("encoder.norm_epsilon", *epsilon);
  } else {
    mark_unusable("encoder.norm_epsilon",
                  says(name, value) + ", expected a number from 1e-15 to 0.1");
  }
}

void FactsCollector::take_normalisation(const json& object, const char* mean, const char* stddev,
                                        const Rescaling& rescaling) {
  const json &said_mean = member(object, mean), &said_stddev = member(object, stddev);
  auto means = by_channel(said_mean), stddevs = by_channel(said_stddev);
  if (!said_mean.is_null() && !means) {
    mark_unusable("data.mean", says(mean, said_mean) + ", expected one number, or one per channel");
  }
  if (!said_stddev.is_null() && (!stddevs || !all_above(*stddevs, 0))) {
    mark_unusable("data.deviation",
                  says(stddev, said_stddev) + ", expected one number above 0, or one per channel");
    stddevs.reset();
  }
  const double scale = rescaling.factor * 255;
  const auto in_pixels = [&](std::vector<double>& numbers, double offset) {
    if (std::abs(scale - 1) < 1e-6 && offset == 0) return;
    for (double& one : numbers) one = (one + offset) / scale;
  };
  if (means) in_pixels(*means, rescaling.offset);
  if (stddevs) in_pixels(*stddevs, 0);
  const Units units = means && stddevs ? units_of(*means, *stddevs) : Units::kOne;
  if (units == Units::kMixed) {
    return mark_unusable("data.mean",
                         fmt::format("{} and {} = {}, which do not fit one range of pixels",
                                     says(mean, said_mean), stddev, said_stddev.dump()));
  }
  if (units == Units::k255) {
    for (double& one : *means) one /= 255;
    for (double& one : *stddevs) one /= 255;
    note("data.mean",
         fmt::format("{} and {} = {}, read as values for pixels from 0 to 255: data.mean = "
                     "[{:.6g}] and data.deviation = [{:.6g}] (--set data.mean=... --set "
                     "data.deviation=...)",
                     says(mean, said_mean), stddev, said_stddev.dump(), fmt::join(*means, ","),
                     fmt::join(*stddevs, ",")));
  }
  if (means) {
    take("data.mean", *means);
    facts_["names"]["data.mean"] = says(mean, said_mean);
  }
  if (stddevs) {
    take("data.deviation", *stddevs);
    facts_["names"]["data.deviation"] = says(stddev, said_stddev);
  }
}

void FactsCollector::take_interpolation(const json& object, const char* name) {
  const json& value = member(object, name);
  if (value.is_null() || value == "") return;
  const std::string filter = filter_named(value);
  if (filter == "bicubic" || filter == "bilinear") return take("data.interpolation", filter);
  const std::string shown = filter.empty() || value == filter ? "" : fmt::format(" ({})", filter);
  note("data.interpolation",
       fmt::format("{}{}, which this program does not have: images are resized with "
                   "data.interpolation = bicubic (--set data.interpolation=bilinear)",
                   says(name, value), printable(shown)));
}

void FactsCollector::take_size(const char* name, const json& value) {
  if (const auto size = whole(value)) facts_["sizes"][name] = *size;
}

void FactsCollector::take_pool(const json& value) {
  if (value.is_string()) facts_["pool"] = value;
}

void FactsCollector::take_crop(const json& value) {
  const auto share = finite(value);
  if (share && *share > 0 && *share <= 1) facts_["eval_crop"] = *share;
}

void FactsCollector::check_activation(const char* name, const std::string& activation) {
  constexpr std::array kExact = {"", "gelu", "gelu_python", "GELU"};
  if (std::find(kExact.begin(), kExact.end(), activation) != kExact.end()) return;
  refuse(
      "{} says {}{} = {}, but this program's networks only have the exact GELU: features would "
      "differ from the model's",
      file_, inside_, name, activation);
}

void FactsCollector::check_absent(const json& arguments, const char* name, const char* what) {
  const json& value = member(arguments, name);
  const bool absent = value.is_null() || value == 0 || truth(value) == false || value == "";
  if (!absent) refuse("{}: {}, which this program's networks do not have", says(name, value), what);
}

void FactsCollector::check_channel_order(const json& object) {
  const auto say = [&](const char* name, const json& value) {
    refuse(
        "{}, so these weights expect images with blue first, where this program has red "
        "first: features would differ from the model's; reverse the input channels "
        "of its patch embedding, and remove the entry",
        says(name, value));
  };
  for (const char* name : {"do_flip_channel_order", "flip_channel_order", "bgr"}) {
    if (truth(member(object, name)) == true) return say(name, member(object, name));
  }
  for (const char* name : {"channel_order", "color_order", "color_mode", "color_space",
                           "image_mode", "input_format", "mode"}) {
    if (lower(text_in(member(object, name))) == "bgr") return say(name, member(object, name));
  }
}

}  // namespace fcm::interop
