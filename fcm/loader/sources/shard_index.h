// The samples of many tar shards, walked over or remembered.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"
#include "fcm/loader/sources/random_access_file.h"
#include "fcm/loader/sources/tar_samples.h"

namespace fcm::loader {

struct ShardIndex {
  FileIdentity identity;
  TarContents contents;
  std::string fault;  // why the shard must not be used; empty: it can
};

// Calls add(index) for each shard, in order; several threads walk. What was kept of a shard in
// options.cache is believed while its device, inode, size and time of change are the same.
void walk_shards(const std::vector<std::filesystem::path>& shards, const OpenOptions& options,
                 const std::function<void(ShardIndex)>& add);

}  // namespace fcm::loader
