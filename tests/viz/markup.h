// Checks that markup is well-formed: every element closed in order, attributes quoted and unique,
// no stray "<" or "&". It does not check the meaning of elements.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::viz {

class MarkupChecker {
 public:
  // Elements in `open_only` have no end tag (meta and img in HTML).
  explicit MarkupChecker(std::set<std::string> open_only = {}) : open_only_(std::move(open_only)) {}

  // Empty if the markup is well-formed; otherwise the fault and its position.
  std::string problem(std::string_view markup) {
    text_ = markup;
    at_ = 0;
    stack_.clear();
    error_.clear();
    while (at_ < text_.size() && error_.empty()) {
      if (text_[at_] == '<') {
        read_tag();
      } else {
        read_character();
      }
    }
    if (error_.empty() && !stack_.empty()) fail("<" + stack_.back() + "> is not closed");
    return error_;
  }

 private:
  void fail(const std::string& what) {
    if (error_.empty()) {
      error_ = what + " before: " + std::string(text_.substr(std::min(at_, text_.size()), 40));
    }
  }

  void read_character() {
    if (text_[at_] == '&') {
      const size_t end = text_.find(';', at_);
      const std::string_view name = text_.substr(at_ + 1, end - at_ - 1);
      static const std::set<std::string_view> kKnown{"lt", "gt", "amp", "quot", "#39"};
      if (end == std::string_view::npos || !kKnown.contains(name)) return fail("a stray &");
    }
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r') return fail("a control");
    ++at_;
  }

  std::string read_name() {
    const size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  text_[at_] == '-' || text_[at_] == ':' || text_[at_] == '_')) {
      ++at_;
    }
    if (at_ == start) fail("a name is missing");
    return std::string(text_.substr(start, at_ - start));
  }

  bool take(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }

  void read_tag() {
    if (at_ == 0 && take("<!doctype html>")) return;
    if (take("</")) {
      const std::string name = read_name();
      if (stack_.empty() || stack_.back() != name) return fail("</" + name + "> closes nothing");
      stack_.pop_back();
      if (!take(">")) fail("> is missing");
      return;
    }
    ++at_;
    const std::string name = read_name();
    std::set<std::string> seen;
    while (error_.empty() && take(" ")) {
      const std::string attribute = read_name();
      if (!seen.insert(attribute).second) return fail(attribute + " is given twice");
      if (!take("=\"")) return fail("a value is not quoted");
      while (error_.empty() && at_ < text_.size() && text_[at_] != '"') {
        if (text_[at_] == '<') return fail("< in a value");
        read_character();
      }
      if (!take("\"")) return fail("a value does not end");
    }
    if (take("/>")) return;
    if (!take(">")) return fail("> is missing");
    if (!open_only_.contains(name)) stack_.push_back(name);
  }

  std::set<std::string> open_only_;
  std::string_view text_;
  size_t at_ = 0;
  std::vector<std::string> stack_;
  std::string error_;
};

}  // namespace fcm::viz
