#include "fcm/loader/sources/shard_index.h"

#include <algorithm>
#include <chrono>

#include "fcm/base/error.h"
#include "fcm/loader/in_order.h"
#include "fcm/loader/sources/index_cache.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

std::string as_bytes(const ShardIndex& index) {
  ByteWriter out;
  out.number(index.identity.device);
  out.number(index.identity.inode);
  out.number(index.identity.size);
  out.number(index.identity.seconds);
  out.number(index.identity.nanoseconds);
  out.number(static_cast<uint8_t>(index.contents.has_end_mark ? 1 : 0));
  put(out, index.contents.left_out);
  for (const TarSample& sample : index.contents.samples) {
    out.text(sample.key);
    out.number(sample.begin);
    out.number(sample.size);
    out.number(sample.label);
    out.number(static_cast<uint8_t>(sample.has_image ? 1 : 0));
    out.text(sample.fault);
    out.text(sample.label_fault);
    out.text(sample.label_name);
  }
  return out.bytes();
}

// Throws Error(kData) if the shard has changed.
ShardIndex from_bytes(std::string_view bytes, const FileIdentity& identity) {
  ByteReader in(bytes);
  ShardIndex index;
  index.identity = {in.number<uint64_t>(), in.number<uint64_t>(), in.number<uint64_t>(),
                    in.number<int64_t>(), in.number<int64_t>()};
  if (index.identity != identity) fail(ExitCode::kData, "the shard changed");
  index.contents.has_end_mark = in.number<uint8_t>() != 0;
  index.contents.left_out = take_left_out(in);
  while (in.left() > 0) {
    TarSample& sample = index.contents.samples.emplace_back();
    sample.key = in.text();
    sample.begin = in.number<uint64_t>();
    sample.size = in.number<uint64_t>();
    sample.label = in.number<int32_t>();
    sample.has_image = in.number<uint8_t>() != 0;
    sample.fault = in.text();
    sample.label_fault = in.text();
    sample.label_name = in.text();
  }
  return index;
}

// The cached index of each shard as bytes; empty if there is none.
std::vector<std::string> cached_shards(const fs::path& cache, const std::string& key,
                                       size_t count) {
  std::vector<std::string> cached(count);
  if (const auto bytes = read_index(cache, key)) {
    try {
      ByteReader in(*bytes);
      for (std::string& shard : cached) shard = in.text();
    } catch (const Error&) {  // a damaged entry: shards without bytes are walked again
    }
  }
  return cached;
}

std::string key_of(const std::vector<fs::path>& shards) {
  std::string key = "shards";
  for (const fs::path& shard : shards) {
    std::error_code ignored;
    key += "\n" + fs::weakly_canonical(shard, ignored).string();
  }
  return key;
}

struct Walked {
  ShardIndex index;
  bool is_new = false;
};

Walked walk(const fs::path& shard, const std::string& cached) {
  Walked walked;
  try {
    const RandomAccessFile file(shard);
    try {
      walked.index = from_bytes(cached, file.identity());
    } catch (const Error&) {
      walked = {{file.identity(), contents_of_tar(file), ""}, true};
    }
  } catch (const Error& error) {
    walked.index.fault = error.what();
  }
  return walked;
}

}  // namespace

void walk_shards(const std::vector<fs::path>& shards, const OpenOptions& options,
                 const std::function<void(ShardIndex)>& add) {
  const std::chrono::seconds latest = std::chrono::duration_cast<std::chrono::seconds>(
      (std::chrono::system_clock::now() - kMinCachedAge).time_since_epoch());
  const std::string key = key_of(shards);
  const std::vector<std::string> cached = cached_shards(options.cache, key, shards.size());
  ByteWriter entries;
  bool can_cache = !options.cache.empty(), is_new = false;
  int64_t samples = 0;
  for_each_in_order(
      std::ssize(shards), options.threads,
      [&](int64_t i) {
        return walk(shards[static_cast<size_t>(i)], cached[static_cast<size_t>(i)]);
      },
      [&](int64_t, Walked walked) {
        samples += std::ssize(walked.index.contents.samples);
        is_new |= walked.is_new;
        can_cache &= walked.index.fault.empty() && walked.index.identity.seconds < latest.count();
        if (can_cache) entries.text(as_bytes(walked.index));
        add(std::move(walked.index));
      });
  if (can_cache && is_new && samples >= kMinCachedImages) {
    write_index(options.cache, key, entries.bytes());
  }
}

}  // namespace fcm::loader
