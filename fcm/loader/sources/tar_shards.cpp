// A data set in tar archives that are read in place: the index is held in memory, and each image is
// read with one pread.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/loader/sources/encoded.h"
#include "fcm/loader/sources/joined_names.h"
#include "fcm/loader/sources/labels.h"
#include "fcm/loader/sources/random_access_file.h"
#include "fcm/loader/sources/shard_index.h"
#include "fcm/loader/sources/sources.h"
#include "fcm/loader/sources/split_folders.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

// The folders inside shards that hold samples.
class KeyFolders {
 public:
  explicit KeyFolders(const JoinedNames& keys) {
    std::string_view last;
    for (int64_t i = 0; i < keys.size(); ++i) {
      const std::string_view key = keys.at(i);
      const std::string_view folder = key.substr(0, std::min(key.rfind('/'), key.size()));
      if (folder.size() == key.size() || folder == last) continue;
      last = folder;
      if (std::ssize(folders_) < kMost && folders_.emplace(folder).second) see_splits(folder);
    }
  }

  int64_t count() const { return std::ssize(folders_); }
  bool has_both_splits() const { return train_ && val_; }
  std::string some() const { return some_of({folders_.begin(), folders_.end()}); }

 private:
  static constexpr int64_t kMost = 100'000;  // bounds memory

  void see_splits(std::string_view folder) {
    for (size_t begin = 0; begin <= folder.size();) {
      const size_t end = std::min(folder.find('/', begin), folder.size());
      if (const auto split = split_named(folder.substr(begin, end - begin))) {
        (*split == Split::kTrain ? train_ : val_) = true;
      }
      begin = end + 1;
    }
  }

  std::set<std::string> folders_;
  bool train_ = false, val_ = false;
};

class TarShards final : public EncodedDataset {
 public:
  TarShards(std::vector<fs::path> shards, const OpenOptions& options, Remarks remarks)
      : paths_(std::move(shards)) {
    remarks_ = std::move(remarks);
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
    if (samples_.empty()) fail_without_samples();
    remark_end_marks();
    warn_of_same_shards();
    labels_ = collector_.finish(paths_.front().parent_path(), remarks_);
    labels_.missing = "it has no .cls, but other samples have one";
    remark_folders();
    remark_bad_labels(*this, labels_, remarks_);
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  int64_t label(int64_t index) const override { return labels_.at(index, *this); }
  const std::vector<std::string>& classes() const override { return labels_.classes; }
  std::string name(int64_t index) const override {
    return fmt::format("{}:{}", paths_[sample(index).shard].string(), keys_.at(index));
  }

  std::string read(int64_t index) const override {
    if (const auto fault = faults_.find(index); fault != faults_.end()) {
      fail(ExitCode::kData, "{}: {}", name(index), fault->second);
    }
    const Place& place = sample(index);
    // Opened for each read, since data sets often have more shards than a process may keep open.
    const RandomAccessFile shard(paths_[place.shard]);
    if (shard.identity() != identities_[place.shard]) {
      fail(ExitCode::kData, "{}: the shard has changed since the set was opened", name(index));
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
  };

  const Place& sample(int64_t index) const { return samples_[static_cast<size_t>(index)]; }

  void add_shard(ShardIndex index) {
    const auto shard = static_cast<uint32_t>(identities_.size());
    identities_.push_back(index.identity);
    const std::string name = paths_[shard].filename().string();
    if (!index.contents.has_end_mark) unmarked_.push_back(name);
    for (const LeftOut::Kind& kind : index.contents.left_out.kinds()) {
      remarks_.left_out.add(kind.what, name + ":" + kind.example, kind.count);
    }
    for (TarSample& found : index.contents.samples) {
      if (!found.fault.empty()) faults_[size()] = std::move(found.fault);
      add_label(found);
      keys_.add(printable(found.key));
      samples_.push_back({found.begin, static_cast<uint32_t>(found.size), shard});
    }
  }

  void add_label(TarSample& found) {
    if (found.label >= 0) {
      collector_.add_number(found.label);
    } else if (!found.label_name.empty()) {
      collector_.add_name(found.label_name, std::move(found.label_fault));
    } else if (!found.label_fault.empty()) {
      collector_.add_fault(std::move(found.label_fault));
    } else {
      collector_.add_none();
    }
  }

  void warn_of_same_shards() {
    std::map<std::pair<uint64_t, uint64_t>, size_t> first;  // by device and inode
    std::string example;
    int64_t count = 0;
    for (size_t i = 0; i < paths_.size(); ++i) {
      const auto [place, is_new] =
          first.emplace(std::pair(identities_[i].device, identities_[i].inode), i);
      if (is_new || count++ > 0) continue;
      example = fmt::format("{} and {}", paths_[place->second].filename().string(),
                            paths_[i].filename().string());
    }
    if (count == 0) return;
    remarks_.warnings.push_back(fmt::format(
        "{} of {} {} the same file as another one, whose samples are read twice ({})", count,
        counted(std::ssize(paths_), "shard", "shards"), noun(count, "is", "are"), example));
  }

  // As in webdataset, folders are only part of the key. Adds remarks if the folders look like
  // classes or splits.
  void remark_folders() {
    const KeyFolders folders(keys_);
    if (labels_.classes.empty()) {
      remarks_.no_labels = "no sample has a KEY.cls with its class";
      if (folders.count() > 1) {
        const std::string what =
            fmt::format("folders inside the shards are not read as classes ({})", folders.some());
        remarks_.no_labels += "; " + what;
        remarks_.notes.push_back(what +
                                 ": write a KEY.cls beside each image, or unpack the shards");
      }
    }
    if (!folders.has_both_splits()) return;
    remarks_.warnings.push_back(fmt::format(
        "images for training and for validation are mixed, by the names of the folders inside the "
        "shards ({}): write them to shards of their own",
        folders.some()));
  }

  void remark_end_marks() {
    if (unmarked_.empty()) return;
    remarks_.notes.push_back(fmt::format(
        "{} of {} {} without an end-of-archive mark ({}): complete, or truncated between two "
        "members",
        unmarked_.size(), counted(std::ssize(paths_), "shard", "shards"),
        noun(std::ssize(unmarked_), "ends", "end"), unmarked_.front()));
  }

  [[noreturn]] void fail_without_samples() const {
    fail(ExitCode::kData,
         "no samples in {} (the first is {}): looked for KEY.jpg, KEY.jpeg, KEY.png, KEY.webp and "
         "the like, and KEY.cls, where KEY has no dot; {}",
         counted(std::ssize(paths_), "tar file", "tar files"), paths_.front().string(),
         remarks_.left_out.empty() ? "they are empty" : "found " + as_text(remarks_.left_out));
  }

  [[noreturn]] void refuse(const std::vector<std::string>& refused) const {
    constexpr size_t kShown = 5;
    std::string reasons;
    for (size_t i = 0; i < std::min(refused.size(), kShown); ++i) {
      reasons += (i > 0 ? "; " : "") + refused[i];
    }
    fail(ExitCode::kData, "{} of {} cannot be used: {}{}", refused.size(),
         counted(std::ssize(paths_), "shard", "shards"), reasons,
         refused.size() > kShown ? "; ..." : "");
  }

  std::vector<fs::path> paths_;
  std::vector<FileIdentity> identities_;
  std::vector<Place> samples_;
  JoinedNames keys_;
  std::unordered_map<int64_t, std::string> faults_;
  std::vector<std::string> unmarked_;
  LabelCollector collector_;
  Labels labels_;
};

}  // namespace

std::unique_ptr<Dataset> open_tar_shards(std::vector<fs::path> shards, const OpenOptions& options,
                                         Remarks remarks) {
  return std::make_unique<TarShards>(std::move(shards), options, std::move(remarks));
}

}  // namespace fcm::loader
