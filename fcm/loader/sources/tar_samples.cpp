#include "fcm/loader/sources/tar_samples.h"

#include <algorithm>
#include <unordered_map>

#include "fcm/base/error.h"
#include "fcm/loader/sources/class_numbers.h"
#include "fcm/loader/sources/picture_ending.h"
#include "fcm/loader/sources/tar_walk.h"

namespace fcm::loader {
namespace {

constexpr uint64_t kMostPicture = uint64_t{1} << 31;
constexpr uint64_t kMostLabelText = 32;

// Text from the archive, as it can stand in a message.
std::string shown(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char letter) { return letter < ' ' || letter > '~'; }, '?');
  return text;
}

class Collector {
 public:
  explicit Collector(const RandomAccessFile& shard) : shard_(shard) {}

  void add(const TarMember& member) {
    const size_t slash = member.name.rfind('/');
    const size_t base = slash == std::string::npos ? 0 : slash + 1;
    const size_t dot = member.name.find('.', base);
    if (dot == std::string::npos || dot == base) return;  // no ending, or hidden
    const std::string ending = member.name.substr(dot);
    const bool is_label = ending == ".cls";
    if (!is_label && !is_picture_ending(ending)) return;
    TarSample& sample = sample_with(member.name.substr(0, dot));
    if (!member.fault.empty()) {
      (is_label ? sample.label_fault : sample.fault) = member.fault;
    } else if (is_label) {
      add_label(sample, member);
    } else {
      add_picture(sample, member);
    }
  }

  std::vector<TarSample> finish() {
    for (TarSample& sample : samples_) {
      if (!sample.has_picture && sample.fault.empty()) {
        sample.fault = "it has a label but no .jpg, .jpeg, .png or .webp";
      }
    }
    return std::move(samples_);
  }

 private:
  TarSample& sample_with(const std::string& key) {
    const auto [place, is_new] = places_.try_emplace(key, samples_.size());
    if (is_new) samples_.emplace_back().key = key;
    return samples_[place->second];
  }

  void add_label(TarSample& sample, const TarMember& member) const {
    if (sample.label >= 0) sample.label_fault = "it has two labels";
    std::string text(std::min(member.size, kMostLabelText + 1), '\0');
    shard_.read(member.begin, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
      text.pop_back();
    }
    const auto label = label_from_text(text);
    if (label) {
      sample.label = *label;
    } else {
      sample.label_fault = fmt::format("its .cls is no class number: \"{}\"", shown(text));
    }
  }

  void add_picture(TarSample& sample, const TarMember& member) const {
    if (sample.has_picture) sample.fault = "it has two pictures";
    if (member.size > kMostPicture) sample.fault = "its picture is larger than 2 GiB";
    sample.has_picture = true;
    sample.begin = member.begin;
    sample.size = member.size;
  }

  const RandomAccessFile& shard_;
  std::vector<TarSample> samples_;
  std::unordered_map<std::string, size_t> places_;
};

}  // namespace

std::vector<TarSample> samples_of_tar(const RandomAccessFile& shard) {
  Collector collector(shard);
  walk_tar(shard, [&](const TarMember& member) { collector.add(member); });
  return collector.finish();
}

}  // namespace fcm::loader
