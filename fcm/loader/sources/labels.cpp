#include "fcm/loader/sources/labels.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/class_names.h"
#include "fcm/loader/sources/list_line.h"

namespace fcm::loader {
namespace {

constexpr size_t kMostNamedClasses = 10'000;

int32_t largest_of(std::span<const int32_t> numbers) {
  const auto largest = std::ranges::max_element(numbers);
  return largest == numbers.end() ? -1 : *largest;
}

}  // namespace

std::vector<std::string> lines_of_names(const std::filesystem::path& file) {
  constexpr uintmax_t kMostBytes = 16 << 20;
  if (std::error_code ignored; std::filesystem::file_size(file, ignored) > kMostBytes) {
    fail(ExitCode::kData, "{} is too large for class names, one per line: more than {} bytes",
         file.string(), kMostBytes);
  }
  std::vector<std::string> names;
  std::string text = read_file(file, ExitCode::kData);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  std::istringstream lines(std::move(text));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    names.emplace_back(without_blanks_around(line));
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  return names;
}

std::optional<int32_t> label_from_text(std::string_view text) {
  int32_t label = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
  if (error != std::errc() || end != text.data() + text.size() || label < 0 ||
      label >= kMostClasses || text.front() == '-') {
    return std::nullopt;
  }
  return label;
}

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error != std::errc::invalid_argument && end == text.data() + text.size();
}

bool is_class_name(std::string_view text) {
  constexpr size_t kMostBytes = 64;
  return !text.empty() && text.size() <= kMostBytes && !is_number(text) &&
         std::ranges::none_of(text, [](unsigned char byte) { return byte < ' ' || byte == 127; });
}

int64_t Labels::at(int64_t index, const Dataset& set) const {
  if (!faults.empty()) {
    if (const auto fault = faults.find(index); fault != faults.end()) {
      fail(ExitCode::kData, "{}: {}", set.name(index), fault->second);
    }
  }
  const int32_t number = numbers[static_cast<size_t>(index)];
  if (number < 0 && !classes.empty()) {
    fail(ExitCode::kData, "{}: {}", set.name(index), missing);
  }
  return number;
}

void LabelCollector::add_name(std::string_view name, std::string fault) {
  auto known = names_.find(name);
  if (known == names_.end()) {
    known = names_.emplace(name, -2 - static_cast<int32_t>(names_.size())).first;
  }
  faults_.emplace(size(), std::move(fault));
  numbers_.push_back(known->second);
  ++named_;
}

void LabelCollector::add_fault(std::string fault) {
  faults_.emplace(size(), std::move(fault));
  numbers_.push_back(-1);
}

// Few distinct names are classes; many distinct names are captions.
bool LabelCollector::names_are_classes() const {
  const bool has_numbers =
      std::ranges::any_of(numbers_, [](int32_t number) { return number >= 0; });
  return named_ > 0 && !has_numbers && names_.size() <= kMostNamedClasses &&
         2 * std::ssize(names_) <= named_;
}

Labels LabelCollector::finish(const std::filesystem::path& folder, Remarks& remarks) {
  Labels labels;
  if (names_are_classes()) {
    std::vector<int32_t> number_of(names_.size());
    for (const auto& [name, place] : names_) {
      number_of[static_cast<size_t>(-2 - place)] = static_cast<int32_t>(labels.classes.size());
      labels.classes.push_back(name);
    }
    for (size_t i = 0; i < numbers_.size(); ++i) {
      if (numbers_[i] >= -1) continue;
      numbers_[i] = number_of[static_cast<size_t>(-2 - numbers_[i])];
      faults_.erase(static_cast<int64_t>(i));
    }
    remarks.notes.push_back(fmt::format("labels are names, not numbers: {} ({})",
                                        counted(std::ssize(labels.classes), "class", "classes"),
                                        some_of(labels.classes)));
    warn_of_alike_classes(labels.classes, "the set of labels", remarks);
  } else {
    for (int32_t& number : numbers_) number = std::max(number, -1);
    labels.classes = class_names(folder, numbers_, remarks);
  }
  labels.numbers = std::move(numbers_);
  labels.numbers.shrink_to_fit();
  labels.faults = std::move(faults_);
  return labels;
}

std::vector<std::string> class_names(const std::filesystem::path& folder,
                                     std::span<const int32_t> numbers, Remarks& remarks) {
  std::vector<std::string> names;
  const int32_t largest = largest_of(numbers);
  if (largest < 0) return names;
  const auto file = folder / "classes.txt";
  if (std::error_code ignored; std::filesystem::is_regular_file(file, ignored)) {
    try {
      names = lines_of_names(file);
    } catch (const Error& error) {  // images and class numbers can be used without names
      if (error.code() != ExitCode::kData) throw;
      remarks.notes.push_back(fmt::format("{}: classes are named by their numbers", error.what()));
    }
  }
  const auto wanted = static_cast<size_t>(largest) + 1;
  if (names.size() >= wanted) {
    name_blank_classes(names, file.string(), remarks);
    warn_of_alike_classes(names, file.string(), remarks);
    return names;
  }
  if (!names.empty()) {
    remarks.notes.push_back(
        fmt::format("{} names {}, but the largest label is {}: classes are "
                    "named by their numbers",
                    file.string(), counted(std::ssize(names), "class", "classes"), largest));
  }
  return numbered_classes(numbers, remarks);
}

std::vector<std::string> numbered_classes(std::span<const int32_t> numbers, Remarks& remarks) {
  const int32_t largest = largest_of(numbers);
  if (largest < 0) return {};
  std::vector<bool> is_there(static_cast<size_t>(largest) + 1);
  for (const int32_t number : numbers) {
    if (number >= 0) is_there[static_cast<size_t>(number)] = true;
  }
  std::vector<std::string> names, missing;
  for (int32_t label = 0; label <= largest; ++label) {
    names.push_back(std::to_string(label));
    if (!is_there[static_cast<size_t>(label)]) missing.push_back(names.back());
  }
  remarks.only_numbered = true;
  if (!missing.empty()) {
    const bool counts_from_one = missing.size() == 1 && missing.front() == "0";
    remarks.notes.push_back(
        fmt::format("labels go up to {}, but no image has {} ({} of {}){}: a classifier gets {}",
                    largest, some_of(missing), missing.size(), names.size(),
                    counts_from_one ? ", so they may count from 1 instead of 0" : "",
                    counted(std::ssize(names), "class", "classes")));
  }
  return names;
}

void remark_bad_labels(const Dataset& set, const Labels& labels, Remarks& remarks) {
  for (int64_t i = 0; i < std::ssize(labels.numbers); ++i) {
    const bool is_bad = labels.numbers[static_cast<size_t>(i)] < 0 &&
                        (!labels.classes.empty() || labels.faults.contains(i));
    if (!is_bad) continue;
    if (remarks.bad_labels++ > 0) continue;
    try {
      labels.at(i, set);
    } catch (const Error& error) {
      remarks.first_bad_label = error.what();
    }
  }
}

}  // namespace fcm::loader
