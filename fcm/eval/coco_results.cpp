#include "fcm/eval/coco_results.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::eval {
namespace {

// A SAX handler that stores only the entries. A general JSON tree would take ten times the memory,
// and would grow with every nested value.
class ResultEvents {
 public:
  using Json = nlohmann::json;

  explicit ResultEvents(const std::string& file) : file_(file) {}

  bool null() { return other("null"); }
  bool boolean(bool) { return other("true or false"); }
  bool binary(Json::binary_t&) { return other("binary data"); }
  bool number_integer(int64_t value) { return whole_number(value); }
  bool number_unsigned(uint64_t value) {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return number_float(static_cast<double>(value), {});
    }
    return whole_number(static_cast<int64_t>(value));
  }
  bool number_float(double value, const std::string&) {
    if (skipped_ > 0) return true;
    if (place_ == Place::kEntry && key_ == Key::kScore) return set_score(value);
    if (place_ == Place::kBox) return add_to_box(value);
    return other("a number that is not whole");
  }
  bool string(std::string& value) {
    if (place_ == Place::kMask && key_ == Key::kCounts && skipped_ == 0) {
      counts_text_ = std::move(value);
      return true;
    }
    return other("text");
  }

  bool start_array(size_t) {
    if (skips()) return ++skipped_, true;
    if (place_ == Place::kOutside) return enter(Place::kList);
    if (place_ == Place::kEntry && key_ == Key::kBox) return enter(Place::kBox);
    if (place_ == Place::kEntry && key_ == Key::kSegmentation) {
      refuse("its segmentation is a polygon, expected run lengths (size and counts)");
    }
    if (place_ == Place::kMask && key_ == Key::kSize) return enter(Place::kSize);
    if (place_ == Place::kMask && key_ == Key::kCounts) return enter(Place::kCounts);
    return other("a list");
  }
  bool end_array() {
    if (skipped_ > 0) return --skipped_, true;
    if (place_ == Place::kBox && numbers_ != 4) refuse("its bbox has {} numbers", numbers_);
    if (place_ == Place::kSize && numbers_ != 2) refuse("its size has {} numbers", numbers_);
    place_ = place_ == Place::kList  ? Place::kDone
             : place_ == Place::kBox ? Place::kEntry
                                     : Place::kMask;
    return true;
  }

  bool start_object(size_t) {
    if (skips()) return ++skipped_, true;
    if (place_ == Place::kList) {
      entries_.emplace_back();
      seen_ = 0;
      return enter(Place::kEntry);
    }
    if (place_ == Place::kEntry && key_ == Key::kSegmentation) {
      counts_.clear();
      counts_text_.reset();
      return enter(Place::kMask);
    }
    return other("an object");
  }
  bool key(const std::string& name) {
    if (skipped_ > 0) return true;
    key_ = key_of(name);
    if (key_ == Key::kOther) return true;
    const unsigned bit = 1U << static_cast<unsigned>(key_);
    if ((seen_ & bit) != 0) refuse("it has {} twice", name);
    seen_ |= bit;
    return true;
  }
  bool end_object() {
    if (skipped_ > 0) return --skipped_, true;
    if (place_ == Place::kMask) {
      finish_mask();
      place_ = Place::kEntry;
      key_ = Key::kOther;
    } else {
      finish_entry();
      place_ = Place::kList;
    }
    return true;
  }

  bool parse_error(size_t position, const std::string&, const Json::exception&) {
    fail(ExitCode::kData, "{} is not a JSON list of results: invalid JSON at byte {}", file_,
         position);
  }

  std::vector<CocoEntry> take() { return std::move(entries_); }

 private:
  enum class Place { kOutside, kList, kEntry, kBox, kMask, kSize, kCounts, kDone };
  enum class Key { kImage, kCategory, kScore, kBox, kSegmentation, kSize, kCounts, kOther };

  // The key of `name` at the current place: a key of an entry is unknown inside its mask, and vice
  // versa.
  Key key_of(const std::string& name) const {
    if (place_ == Place::kMask) {
      return name == "size" ? Key::kSize : name == "counts" ? Key::kCounts : Key::kOther;
    }
    return name == "image_id"       ? Key::kImage
           : name == "category_id"  ? Key::kCategory
           : name == "score"        ? Key::kScore
           : name == "bbox"         ? Key::kBox
           : name == "segmentation" ? Key::kSegmentation
                                    : Key::kOther;
  }

  bool enter(Place place) {
    place_ = place;
    numbers_ = 0;
    return true;
  }
  // Whether the next value belongs to an unknown key.
  bool skips() const {
    return skipped_ > 0 ||
           ((place_ == Place::kEntry || place_ == Place::kMask) && key_ == Key::kOther);
  }
  bool has(Key key) const { return (seen_ >> static_cast<unsigned>(key) & 1U) != 0; }

  template <class... Shown>
  [[noreturn]] void refuse(fmt::format_string<Shown...> format, Shown&&... shown) const {
    fail(ExitCode::kData, "{}, entry {}: {}", file_, entries_.size() - 1,
         fmt::format(format, std::forward<Shown>(shown)...));
  }
  bool other(const char* what) const {
    if (skips()) return true;
    if (place_ == Place::kOutside || place_ == Place::kList || place_ == Place::kDone) {
      fail(ExitCode::kData, "{} is not a list of results: it has {} where a{} is expected", file_,
           what, place_ == Place::kList ? "n entry" : " list");
    }
    refuse("it has {} where {} is expected", what,
           place_ == Place::kBox || key_ == Key::kScore         ? "a number"
           : place_ == Place::kCounts || place_ == Place::kSize ? "a whole number"
           : key_ == Key::kImage || key_ == Key::kCategory      ? "a whole number"
           : key_ == Key::kSegmentation                         ? "an object"
           : key_ == Key::kCounts                               ? "text or a list"
                                                                : "a list");
  }

  bool whole_number(int64_t value) {
    if (skips()) return true;
    CocoEntry* entry = entries_.empty() ? nullptr : &entries_.back();
    if (place_ == Place::kEntry && key_ == Key::kImage) return entry->image_id = value, true;
    if (place_ == Place::kEntry && key_ == Key::kCategory) return entry->category_id = value, true;
    if (place_ == Place::kEntry && key_ == Key::kScore) {
      return set_score(static_cast<double>(value));
    }
    if (place_ == Place::kBox) return add_to_box(static_cast<double>(value));
    if (place_ == Place::kSize && numbers_ < 2) return size_[numbers_++] = value, true;
    if (place_ == Place::kSize) refuse("its size has more than 2 numbers");
    if (place_ == Place::kCounts) return counts_.push_back(value), true;
    return other("a number");
  }
  bool set_score(double value) {
    entries_.back().score = value;
    return true;
  }
  bool add_to_box(double value) {
    if (numbers_ == 4) refuse("its bbox has more than 4 numbers");
    std::optional<std::array<double, 4>>& box = entries_.back().box;
    if (!box) box.emplace();
    (*box)[numbers_++] = value;
    return true;
  }

  void finish_mask() {
    if (!has(Key::kSize) || !has(Key::kCounts)) refuse("its segmentation lacks size or counts");
    try {
      entries_.back().mask = counts_text_
                                 ? image::parse_run_lengths(*counts_text_, size_[0], size_[1])
                                 : image::run_lengths_of_counts(counts_, size_[0], size_[1]);
    } catch (const Error& error) {
      refuse("{}", error.what());
    }
  }
  void finish_entry() const {
    for (const auto& [key, name] : {std::pair{Key::kImage, "image_id"},
                                    {Key::kCategory, "category_id"},
                                    {Key::kScore, "score"}}) {
      if (!has(key)) refuse("it lacks {}", name);
    }
    if (!has(Key::kBox) && !has(Key::kSegmentation)) refuse("it lacks bbox and segmentation");
  }

  const std::string& file_;
  std::vector<CocoEntry> entries_;
  Place place_ = Place::kOutside;
  Key key_ = Key::kOther;
  unsigned seen_ = 0;   // bits: keys seen in the entry and its mask
  size_t skipped_ = 0;  // nesting depth inside the value of an unknown key
  size_t numbers_ = 0;  // elements of the current list read so far
  std::array<int64_t, 2> size_{};
  std::vector<int64_t> counts_;
  std::optional<std::string> counts_text_;
};

// The characters of run lengths are printable; only the backslash has to be escaped.
std::string quoted_counts(const image::RunLengths& mask) {
  std::string quoted = "\"";
  for (const char letter : image::run_lengths_text(mask)) {
    if (letter == '\\') quoted += '\\';
    quoted += letter;
  }
  return quoted + '"';
}

std::string number_text(double value) {
  require(std::isfinite(value), "expected finite numbers in a result, got {}", value);
  return fmt::format("{}", value);
}

}  // namespace

std::vector<CocoEntry> parse_coco_results(std::string_view text, const std::string& file) {
  ResultEvents events(file);
  nlohmann::json::sax_parse(text, &events);
  return events.take();
}

std::vector<CocoEntry> read_coco_results(const std::filesystem::path& file) {
  return parse_coco_results(read_file(file, ExitCode::kData), file.string());
}

std::string coco_results_text(std::span<const CocoEntry> entries) {
  std::string text = "[";
  for (const CocoEntry& one : entries) {
    text += text.size() == 1 ? "\n" : ",\n";
    text += fmt::format(R"({{"image_id":{},"category_id":{},"score":{})", one.image_id,
                        one.category_id, number_text(one.score));
    if (one.box) {
      const auto& [x, y, width, height] = *one.box;
      text += fmt::format(R"(,"bbox":[{},{},{},{}])", number_text(x), number_text(y),
                          number_text(width), number_text(height));
    }
    if (one.mask) {
      text += fmt::format(R"(,"segmentation":{{"size":[{},{}],"counts":{}}})", one.mask->rows,
                          one.mask->cols, quoted_counts(*one.mask));
    }
    text += "}";
  }
  return text + "\n]\n";
}

}  // namespace fcm::eval
