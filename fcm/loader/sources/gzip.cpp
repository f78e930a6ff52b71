#include "fcm/loader/sources/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::loader {
namespace {

// Deflate's maximum compression ratio.
constexpr uint64_t kMostExpansion = 1032;

class Inflater {
 public:
  Inflater(const std::string& packed, const std::string& path) : path_(path) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    left_ = packed.size();
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK) {
      fail(ExitCode::kDevice, "out of memory while unpacking {}", path);
    }
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Unpacks up to `count` bytes; fewer only at the end of the packed data.
  size_t read(uint8_t* to, size_t count) {
    size_t filled = 0;
    while (filled < count && !ended_) {
      constexpr size_t kMost = size_t{1} << 30;  // zlib counts in 32 bits
      const auto available = static_cast<uInt>(std::min(left_, kMost));
      const auto room = static_cast<uInt>(std::min(count - filled, kMost));
      stream_.avail_in = available;
      stream_.avail_out = room;
      stream_.next_out = to + filled;
      const int state = inflate(&stream_, Z_NO_FLUSH);
      left_ -= available - stream_.avail_in;
      filled += room - stream_.avail_out;
      ended_ = state == Z_STREAM_END;
      if (ended_) break;
      if (state == Z_BUF_ERROR || (state == Z_OK && left_ == 0 && stream_.avail_out > 0)) {
        fail(ExitCode::kData, "{} is truncated: the packed data end after {} bytes", path_,
             stream_.total_out);
      }
      if (state != Z_OK) {
        fail(ExitCode::kData, "{} is damaged or not gzip: {}", path_,
             stream_.msg != nullptr ? stream_.msg : "unknown reason");
      }
    }
    return filled;
  }

  // Bytes of the file after the packed data.
  size_t left() const { return left_; }

 private:
  const std::string& path_;
  z_stream stream_{};
  size_t left_ = 0;
  bool ended_ = false;
};

std::vector<uint8_t> unpack(const std::string& packed, const std::string& path, size_t head,
                            uint64_t (*total_size)(const uint8_t*, const std::string&)) {
  Inflater inflater(packed, path);
  std::vector<uint8_t> content(head);
  size_t filled = inflater.read(content.data(), head);
  if (filled < head) fail(ExitCode::kData, "{} is too short: {} bytes", path, filled);
  const uint64_t total = total_size(content.data(), path);
  if (total / kMostExpansion > packed.size()) {
    fail(ExitCode::kData,
         "{} is damaged: its header announces {} bytes, more than {} packed bytes can hold", path,
         total, packed.size());
  }
  while (filled < total) {
    // Memory grows with the actual data, so that a false size in the header costs little.
    content.resize(std::min<uint64_t>(total, std::max<uint64_t>(2 * filled, 1 << 20)));
    const size_t got = inflater.read(content.data() + filled, content.size() - filled);
    filled += got;
    if (filled < content.size()) {
      fail(ExitCode::kData, "{} is truncated: {} bytes unpacked, {} announced by its header", path,
           filled, total);
    }
  }
  uint8_t beyond = 0;  // also makes zlib check the checksum
  if (inflater.read(&beyond, 1) != 0 || inflater.left() != 0) {
    fail(ExitCode::kData, "{} has trailing bytes after the {} announced by its header", path,
         total);
  }
  return content;
}

}  // namespace

std::vector<uint8_t> read_sized_file(const std::filesystem::path& path, size_t head,
                                     uint64_t (*total_size)(const uint8_t*, const std::string&)) {
  const std::string file = read_file(path, ExitCode::kData);
  if (path.extension() == ".gz") return unpack(file, path.string(), head, total_size);
  if (file.size() < head) {
    fail(ExitCode::kData, "{} is too short: {} bytes", path.string(), file.size());
  }
  const auto* const bytes = reinterpret_cast<const uint8_t*>(file.data());
  const uint64_t total = total_size(bytes, path.string());
  if (file.size() < total) {
    fail(ExitCode::kData, "{} is truncated: {} bytes, {} announced by its header", path.string(),
         file.size(), total);
  }
  if (file.size() > total) {
    fail(ExitCode::kData, "{} has {} trailing bytes after the {} announced by its header",
         path.string(), file.size() - total, total);
  }
  return {bytes, bytes + file.size()};
}

}  // namespace fcm::loader
