// Collects facts (facts.h) from one file: parses its values, keeps the usable ones, and writes a
// sentence about each unusable one. Private to this folder.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fcm::interop {

// The member, or null if there is none.
const nlohmann::json& member(const nlohmann::json& object, std::string_view key);

// whole: an integer from 1 to 2^20. finite: any finite number. Both may be written as text ("12").
// nullopt: the value is no such number.
std::optional<int64_t> whole(const nlohmann::json& value);
std::optional<double> finite(const nlohmann::json& value);

// true, false, 1, 0, or "true" or "false" in any case; nullopt: none of these.
std::optional<bool> truth(const nlohmann::json& value);

std::string text_in(const nlohmann::json& value);  // empty: not a string

// Rows and columns: 224, [224, 224] or {"height": 224, "width": 224}.
std::optional<std::array<int64_t, 2>> extent(const nlohmann::json& value);

// Numbers per channel, or one number for all channels; nullopt: neither.
std::optional<std::vector<double>> by_channel(const nlohmann::json& value);

// How a pixel from 0 to 255 is scaled before normalisation: pixel * factor - offset.
struct Rescaling {
  double factor = 1.0 / 255;
  double offset = 0;
};

class FactsCollector {
 public:
  // file: the file's name in sentences. inside: the prefix of keys, such as "vision_config.".
  explicit FactsCollector(std::string file, std::string inside = "");
  // Further sentences name another file or prefix.
  void continue_with(std::string file, std::string inside = "");

  template <typename T>
  void take(const char* key, const T& value) {
    facts_["keys"][key] = value;
  }
  // These keep a value, or member `name` of `object`, if it is usable; `key` is the recipe key.
  void take_heads(const char* key, const nlohmann::json& object, const char* name);
  void take_epsilon(const nlohmann::json& object, const char* name);
  void take_normalisation(const nlohmann::json& object, const char* mean, const char* stddev,
                          const Rescaling& rescaling = {});
  void take_interpolation(const nlohmann::json& object, const char* name);
  void take_size(const char* name, const nlohmann::json& value);
  void take_pool(const nlohmann::json& value);
  void take_crop(const nlohmann::json& value);

  // Records a feature of the weights that no network of this program has.
  template <typename... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    facts_["refused"].push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  // Records a value that cannot be used; the user has to set `key`.
  void mark_unusable(const char* key, std::string sentence) { facts_["unusable"][key] = sentence; }
  // Records what this program does differently. The note is not shown if `key` is set; with an
  // empty key it is always shown.
  void note(const char* key, std::string sentence) {
    facts_["notes"].push_back({{"key", key}, {"sentence", std::move(sentence)}});
  }
  // "config.json says vision_config.num_heads = 12"
  std::string says(const char* name, const nlohmann::json& value) const;

  // Refuses any activation but the exact GELU.
  void check_activation(const char* name, const std::string& activation);
  // Refuses a feature, `what`, unless member `name` of the arguments is missing or off. Tensors
  // would show the feature too, but not under the name that users know.
  void check_absent(const nlohmann::json& arguments, const char* name, const char* what);
  // Refuses BGR images, in any of the spellings that programs use.
  void check_channel_order(const nlohmann::json& object);

  const std::string& file() const { return file_; }
  nlohmann::json take_all() { return std::move(facts_); }

 private:
  nlohmann::json facts_;
  std::string file_, inside_;
};

}  // namespace fcm::interop
