#include "fcm/loader/sources/packed_writer.h"

#include <algorithm>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/image/jpeg_writer.h"
#include "fcm/loader/sources/byte_text.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFailpoints = "pack";

image::Image shrunk(image::Image image, int64_t side) {
  const int64_t shorter = std::min(image.rows, image.cols);
  if (shorter <= side) return image;
  image::Image smaller{
      side * image.rows / shorter, side * image.cols / shorter, image.channels, {}};
  smaller.pixels.resize(static_cast<size_t>(smaller.rows * smaller.cols * smaller.channels));
  image::crop_resize(image, {0, 0, image.rows, image.cols}, smaller.rows, smaller.cols,
                     image::Interpolation::kBicubic, false, smaller.pixels.data());
  return smaller;
}

}  // namespace

std::string packed_image(image::Image image, const PackedForm& form) {
  require(image.channels == 3, "packed_image: expected 3 channels, got {}", image.channels);
  image = shrunk(std::move(image), form.side);
  if (form.kind == PackedKind::kJpeg) return image::encode_jpeg(image, form.quality);
  ByteWriter bytes;
  bytes.raw({reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size()});
  bytes.number(static_cast<uint32_t>(image.rows));  // below 2^31, a limit of the decoders
  bytes.number(static_cast<uint32_t>(image.cols));
  return bytes.bytes();
}

PackedWriter::PackedWriter(const fs::path& path, PackedKind kind)
    : path_(path),
      temporary_(path.string() + ".tmp"),
      head_(packed_head(kind)),
      file_(temporary_, ExitCode::kUsage, kFailpoints) {
  write(head_);
}

void PackedWriter::write(std::string_view bytes) {
  file_.write(bytes);
  written_ += bytes.size();
}

void PackedWriter::begin(PackedSplit split, std::vector<std::string> classes) {
  splits_.emplace_back().split = split;
  splits_.back().classes = std::move(classes);
}

void PackedWriter::add(std::string_view image, uint64_t checksum, int64_t label,
                       std::string_view name) {
  require(!splits_.empty() && image.size() <= std::numeric_limits<uint32_t>::max(),
          "PackedWriter: got an image of {} bytes after {} calls of begin(); expected less than "
          "4 GiB and at least one call",
          image.size(), splits_.size());
  splits_.back().entries.push_back(
      {written_, checksum, static_cast<uint32_t>(image.size()), static_cast<int32_t>(label)});
  splits_.back().names.add(name);
  write(image);
}

int64_t PackedWriter::finish() {
  write(packed_tail(head_, splits_, written_));
  file_.finish();
  move_into_place(temporary_, path_, ExitCode::kUsage, kFailpoints);
  sync_folder(path_.has_parent_path() ? path_.parent_path() : ".", ExitCode::kUsage, kFailpoints);
  return static_cast<int64_t>(written_);
}

}  // namespace fcm::loader
