#include "fcm/loader/sources/tar_samples.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/labels.h"
#include "fcm/loader/sources/tar_walk.h"

namespace fcm::loader {
namespace {

constexpr uint64_t kMostImage = uint64_t{1} << 31;
constexpr uint64_t kMostLabelText = 80;

// `text` without a byte order mark and without surrounding blanks.
std::string_view stripped(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF", kBlanks = " \t\r\n";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

class Collector {
 public:
  explicit Collector(const RandomAccessFile& shard) : shard_(shard) {}

  void add(const TarMember& member) {
    const size_t slash = member.name.rfind('/');
    const size_t base = slash == std::string::npos ? 0 : slash + 1;
    const size_t dot = member.name.find('.', base);
    if (dot == std::string::npos || dot == base) {
      const std::string_view hidden = kind_of_hidden(std::string_view(member.name).substr(base));
      pass_over(member.name, hidden.empty() ? "without extension" : hidden);
      return;
    }
    const std::string ending = lower_case(std::string_view(member.name).substr(dot));
    const size_t rank = image_rank(ending);
    if (ending == ".cls") {
      add_label(sample_with(member.name.substr(0, dot)), member);
    } else if (rank < kImageEndings.size()) {
      add_image(sample_with(member.name.substr(0, dot)), member, rank);
    } else {
      if (is_other_image_ending(ending)) unread_.insert(member.name.substr(0, dot));
      const bool looks_right = is_image_ending(ending_of(ending));
      pass_over(member.name, looks_right ? "images with a further dot in their names"
                                         : kind_of_name(member.name));
    }
  }

  TarContents finish() {
    // As in folders, images of unsupported formats are counted as left out.
    std::erase_if(contents_.samples, [&](const TarSample& sample) {
      return !sample.has_image && sample.fault.empty() && unread_.contains(sample.key);
    });
    for (TarSample& sample : contents_.samples) {
      if (!sample.has_image && sample.fault.empty()) {
        sample.fault =
            "it has a label but no image (.jpg, .png, .webp or the like) in the same folder of the "
            "shard";
      }
    }
    return std::move(contents_);
  }

 private:
  void pass_over(const std::string& name, std::string_view kind) {
    contents_.left_out.add(kind, printable(name));
  }

  size_t sample_with(const std::string& key) {
    const auto [place, is_new] = places_.try_emplace(key, contents_.samples.size());
    if (is_new) {
      contents_.samples.emplace_back().key = key;
      ranks_.push_back(kImageEndings.size());
    }
    return place->second;
  }

  void add_label(size_t place, const TarMember& member) {
    TarSample& sample = contents_.samples[place];
    const bool is_second = sample.label >= 0 || !sample.label_fault.empty();
    sample.label = -1;
    sample.label_name.clear();
    if (!member.fault.empty() || is_second) {
      sample.label_fault = is_second ? "it has two labels" : member.fault;
      return;
    }
    std::string text(std::min(member.size, kMostLabelText + 1), '\0');
    shard_.read(member.begin, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
    const std::string_view bare = stripped(text);
    if (const auto label = label_from_text(bare)) {
      sample.label = *label;
      return;
    }
    sample.label_fault = fmt::format("its .cls is not a class number: \"{}\"{}", printable(bare),
                                     is_number(bare) ? "; these are integers from 0 to 99999" : "");
    if (is_class_name(bare)) sample.label_name = bare;
  }

  void add_image(size_t place, const TarMember& member, size_t rank) {
    TarSample& sample = contents_.samples[place];
    constexpr std::string_view kSecond = "images of a key that has one with a preferred extension";
    if (rank > ranks_[place]) {
      pass_over(member.name, kSecond);
      return;
    }
    if (rank == ranks_[place]) {
      sample.fault = "it has two images";
      return;
    }
    if (ranks_[place] < kImageEndings.size()) {
      pass_over(sample.key + std::string(kImageEndings[ranks_[place]]), kSecond);
    }
    ranks_[place] = rank;
    sample.fault = member.size > kMostImage ? "its image is larger than 2 GiB" : member.fault;
    sample.has_image = member.fault.empty();
    sample.begin = member.begin;
    sample.size = member.size;
  }

  const RandomAccessFile& shard_;
  TarContents contents_;
  std::vector<size_t> ranks_;  // by sample: image_rank of its image's extension
  std::unordered_map<std::string, size_t> places_;
  std::unordered_set<std::string> unread_;  // keys with an image of an unsupported format
};

}  // namespace

TarContents contents_of_tar(const RandomAccessFile& shard) {
  Collector collector(shard);
  const bool has_end_mark =
      walk_tar(shard, [&](const TarMember& member) { collector.add(member); });
  TarContents contents = collector.finish();
  contents.has_end_mark = has_end_mark;
  return contents;
}

}  // namespace fcm::loader
