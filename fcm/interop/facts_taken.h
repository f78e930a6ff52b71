// One file's words about weights, taken as facts (facts.h): what is a number, what of it can be
// used, and a sentence for what cannot. Private to this folder.
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

// The member, or null.
const nlohmann::json& member(const nlohmann::json& object, std::string_view key);

// Numbers, also those that stand as text ("12"); a whole one is above 0. nullopt: it is none.
std::optional<int64_t> whole(const nlohmann::json& value);
std::optional<double> finite(const nlohmann::json& value);

// true, false, 1, 0, "true", "False"; nullopt: it is none of them.
std::optional<bool> truth(const nlohmann::json& value);

std::string text_in(const nlohmann::json& value);  // empty: it is no text

// Rows and columns: 224, [224, 224] or {"height": 224, "width": 224}.
std::optional<std::array<int64_t, 2>> extent(const nlohmann::json& value);

// Numbers for each channel, or one for all.
std::optional<std::vector<double>> by_channel(const nlohmann::json& value);

// What becomes of a pixel from 0 to 255 before mean and deviation: times factor, less offset.
struct Rescaling {
  double factor = 1.0 / 255;
  double offset = 0;
};

class FactsTaken {
 public:
  // file: as sentences name it. inside: what stands in front of its keys, "vision_config.".
  explicit FactsTaken(std::string file, std::string inside = "");
  void go_on_with(std::string file, std::string inside = "");  // another file of the same weights

  template <typename T>
  void take(const char* key, const T& value) {
    facts_["keys"][key] = value;
  }
  // Of `object`, under the name that it has there.
  void take_heads(const char* key, const nlohmann::json& object, const char* name);
  void take_epsilon(const nlohmann::json& object, const char* name);
  void take_normalisation(const nlohmann::json& object, const char* mean, const char* deviation,
                          const Rescaling& rescaling = {});
  void take_interpolation(const nlohmann::json& object, const char* name);
  void take_size(const char* name, const nlohmann::json& value);
  void take_pool(const nlohmann::json& value);
  void take_crop(const nlohmann::json& value);

  // What is the weights' own and no network of this program has.
  template <typename... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    facts_["refused"].push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  // What cannot be used, and has to be given by `key`.
  void cannot(const char* key, std::string sentence) { facts_["unusable"][key] = sentence; }
  // What is done otherwise here; not said where `key` is set. Empty: no key changes it.
  void note(const char* key, std::string sentence) {
    facts_["notes"].push_back({{"key", key}, {"sentence", std::move(sentence)}});
  }
  // "config.json says vision_config.num_heads = 12"
  std::string says(const char* name, const nlohmann::json& value) const;

  void check_activation(const char* name, const std::string& activation);
  // What tensors would show too, but not by the name that users know.
  void check_absent(const nlohmann::json& arguments, const char* name, const char* what);
  // Any of the ways in which programs say that blue comes first.
  void check_channel_order(const nlohmann::json& object);

  const std::string& file() const { return file_; }
  nlohmann::json take_all() { return std::move(facts_); }

 private:
  nlohmann::json facts_;
  std::string file_, inside_;
};

}  // namespace fcm::interop
