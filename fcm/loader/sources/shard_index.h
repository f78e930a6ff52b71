// Lists the samples of many tar shards, from the shards or from the cache.
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
  std::string fault;  // why the shard cannot be used; empty: it can
};

// Calls add(index) for each shard, in order; options.threads threads walk the shards. A cached
// index (options.cache) is used only if the shard still has the same device, inode, size and
// modification time.
void walk_shards(const std::vector<std::filesystem::path>& shards, const OpenOptions& options,
                 const std::function<void(ShardIndex)>& add);

}  // namespace fcm::loader
