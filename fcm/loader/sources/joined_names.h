// Compact storage of many names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::loader {

// Many names in one string; a million small strings would take twice the memory.
class JoinedNames {
 public:
  void add(std::string_view name) {
    text_ += name;
    begins_.push_back(text_.size());
  }
  void shrink() {  // frees spare capacity; call after the last add
    text_.shrink_to_fit();
    begins_.shrink_to_fit();
  }
  std::string_view joined() const { return text_; }
  int64_t size() const { return static_cast<int64_t>(begins_.size()) - 1; }
  std::string_view at(int64_t index) const {
    const auto i = static_cast<size_t>(index);
    return std::string_view(text_).substr(begins_[i], begins_[i + 1] - begins_[i]);
  }

 private:
  std::string text_;
  std::vector<uint64_t> begins_{0};
};

}  // namespace fcm::loader
