// Tar archives read in place: an index in memory, one pread a picture.
#include <algorithm>
#include <unordered_map>

#include "fcm/base/error.h"
#include "fcm/loader/sources/class_numbers.h"
#include "fcm/loader/sources/encoded.h"
#include "fcm/loader/sources/joined_names.h"
#include "fcm/loader/sources/random_access_file.h"
#include "fcm/loader/sources/shard_index.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

// Names come from the archive and end up in messages: without what a terminal would obey.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char byte) { return byte < ' ' || byte == 127; }, '?');
  return text;
}

class TarShards final : public EncodedDataset {
 public:
  TarShards(std::vector<fs::path> shards, const OpenOptions& options) : paths_(std::move(shards)) {
    std::vector<std::string> refused;
    walk_shards(paths_, options, [&](ShardIndex index) {
      if (index.fault.empty()) {
        add_shard(std::move(index));
      } else {
        refused.push_back(std::move(index.fault));
      }
    });
    if (!refused.empty()) refuse(refused);
    samples_.shrink_to_fit();
    keys_.shrink();
    if (samples_.empty()) {
      fail(ExitCode::kData,
           "no samples in {} tar files, {} the first: looked for KEY.jpg, "
           "KEY.jpeg, KEY.png or KEY.webp, and KEY.cls",
           paths_.size(), paths_.front().string());
    }
    classes_ = class_names(paths_.front().parent_path(), largest_label_);
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  int64_t label(int64_t index) const override {
    if (const auto fault = label_faults_.find(index); fault != label_faults_.end()) {
      fail(ExitCode::kData, "{}: {}", name(index), fault->second);
    }
    const int32_t label = sample(index).label;
    if (label < 0 && largest_label_ >= 0) {  // a set has labels or it has none
      fail(ExitCode::kData, "{}: it has no .cls, while others have one", name(index));
    }
    return label;
  }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::string name(int64_t index) const override {
    return fmt::format("{}:{}", paths_[sample(index).shard].string(), keys_.at(index));
  }

  std::string read(int64_t index) const override {
    if (const auto fault = faults_.find(index); fault != faults_.end()) {
      fail(ExitCode::kData, "{}: {}", name(index), fault->second);
    }
    const Place& place = sample(index);
    // Not kept open: sets of more shards than a process may hold open files are usual.
    const RandomAccessFile shard(paths_[place.shard]);
    if (shard.identity() != identities_[place.shard]) {
      fail(ExitCode::kData, "{}: the shard was changed since it was opened", name(index));
    }
    std::string bytes(place.size, '\0');
    shard.read(place.begin, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
    return bytes;
  }

 private:
  struct Place {
    uint64_t begin;
    uint32_t size;
    uint32_t shard;
    int32_t label;
  };

  const Place& sample(int64_t index) const { return samples_[static_cast<size_t>(index)]; }

  void add_shard(ShardIndex index) {
    const auto shard = static_cast<uint32_t>(identities_.size());
    identities_.push_back(index.identity);
    for (TarSample& found : index.samples) {
      if (!found.fault.empty()) faults_[size()] = std::move(found.fault);
      if (!found.label_fault.empty()) label_faults_[size()] = std::move(found.label_fault);
      keys_.add(printable(std::move(found.key)));
      samples_.push_back({found.begin, static_cast<uint32_t>(found.size), shard, found.label});
      largest_label_ = std::max(largest_label_, found.label);
    }
  }

  [[noreturn]] void refuse(const std::vector<std::string>& refused) const {
    constexpr size_t kShown = 5;
    std::string reasons;
    for (size_t i = 0; i < std::min(refused.size(), kShown); ++i) {
      reasons += (i > 0 ? "; " : "") + refused[i];
    }
    fail(ExitCode::kData, "{} of {} shards cannot be used: {}{}", refused.size(), paths_.size(),
         reasons, refused.size() > kShown ? "; ..." : "");
  }

  std::vector<fs::path> paths_;
  std::vector<FileIdentity> identities_;
  std::vector<Place> samples_;
  JoinedNames keys_;
  std::unordered_map<int64_t, std::string> faults_, label_faults_;
  int32_t largest_label_ = -1;
  std::vector<std::string> classes_;
};

}  // namespace

std::unique_ptr<Dataset> open_tar_shards(std::vector<fs::path> shards, const OpenOptions& options) {
  return std::make_unique<TarShards>(std::move(shards), options);
}

}  // namespace fcm::loader
