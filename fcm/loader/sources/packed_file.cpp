// A data set in a packed file (packed_layout.h). The index is held in memory, and each image is
// read with one pread. The file is not memory-mapped, since a disk error would then raise SIGBUS
// instead of making one image unreadable.
#include <optional>

#include "fcm/base/error.h"
#include "fcm/image/colour.h"
#include "fcm/loader/sources/byte_text.h"
#include "fcm/loader/sources/checksum.h"
#include "fcm/loader/sources/encoded.h"
#include "fcm/loader/sources/labels.h"
#include "fcm/loader/sources/packed_layout.h"
#include "fcm/loader/sources/random_access_file.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

template <class Bytes>
void read_into(const RandomAccessFile& file, uint64_t begin, Bytes& bytes) {
  file.read(begin, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
}

std::string part_of(const RandomAccessFile& file, uint64_t begin, uint64_t size) {
  std::string bytes(size, '\0');
  read_into(file, begin, bytes);
  return bytes;
}

struct Packed {
  PackedKind kind;
  std::vector<PackedIndex> splits;
};

Packed read_packed(const RandomAccessFile& file) {
  if (file.size() < kPackedHead + kPackedFoot) fail(ExitCode::kData, "it is truncated");
  const std::string head = part_of(file, 0, kPackedHead);
  const PackedKind kind = parse_packed_head(head);
  const PackedFoot foot =
      parse_packed_foot(part_of(file, file.size() - kPackedFoot, kPackedFoot), file.size());
  return {kind, parse_packed_index(head, part_of(file, foot.index_begin, foot.index_size), foot)};
}

PackedIndex split_of(std::vector<PackedIndex> splits, Split wanted) {
  const auto which = wanted == Split::kTrain ? PackedSplit::kTrain : PackedSplit::kVal;
  for (PackedIndex& split : splits) {
    if (split.split == which || split.split == PackedSplit::kBoth) return std::move(split);
  }
  const auto names =
      wanted == Split::kTrain ? std::pair{"train", "val"} : std::pair{"val", "train"};
  fail(ExitCode::kData, "it holds no {} images, only {}", names.first, names.second);
}

// Whether the class names are only the label numbers; the file does not record this. The names of
// numeric folders are in alphabetical order (10 before 2), so the two cases differ from 11 classes
// on.
bool are_numbered(const std::vector<std::string>& classes) {
  constexpr size_t kInBothOrders = 10;
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] != std::to_string(i)) return false;
  }
  return classes.size() > kInBothOrders;
}

// The part that JPEG and raw images have in common. `Base` is the interface to implement.
template <class Base>
class PackedFile : public Base {
 public:
  PackedFile(RandomAccessFile file, PackedIndex index)
      : file_(std::move(file)), index_(std::move(index)) {
    labels_.classes = std::move(index_.classes);
    for (const PackedIndex::Entry& entry : index_.entries) labels_.numbers.push_back(entry.label);
    this->remarks_.only_numbered = are_numbered(labels_.classes);
    if (labels_.classes.empty()) this->remarks_.no_labels = "the packed data had no labels";
    remark_bad_labels(*this, labels_, this->remarks_);
  }

  int64_t size() const final { return static_cast<int64_t>(index_.entries.size()); }
  int64_t label(int64_t index) const final { return labels_.at(index, *this); }
  const std::vector<std::string>& classes() const final { return labels_.classes; }
  std::string name(int64_t index) const final {
    return fmt::format("{}:{}", file_.path().string(), index_.names.at(index));
  }

 protected:
  template <class Bytes>
  Bytes bytes_of(int64_t index) const {
    const PackedIndex::Entry& at = entry(index);
    Bytes bytes;
    bytes.resize(at.size);
    read_into(file_, at.begin, bytes);
    if (checksum({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) != at.checksum) {
      fail(ExitCode::kData, "{}: its checksum is wrong; the file is damaged", name(index));
    }
    return bytes;
  }

 private:
  const PackedIndex::Entry& entry(int64_t index) const {
    return index_.entries[static_cast<size_t>(index)];
  }
  RandomAccessFile file_;
  PackedIndex index_;
  Labels labels_;
};

class PackedJpegs final : public PackedFile<EncodedDataset> {
 public:
  using PackedFile::PackedFile;
  std::string read(int64_t index) const override { return bytes_of<std::string>(index); }
};

class PackedPixels final : public PackedFile<Dataset> {
 public:
  using PackedFile::PackedFile;

  image::Image get(int64_t index, int64_t channels) const override {
    image::Image image{0, 0, 3, bytes_of<std::vector<uint8_t>>(index)};
    std::vector<uint8_t>& pixels = image.pixels;
    constexpr size_t kSides = 2 * sizeof(uint32_t);
    const size_t size = pixels.size() - std::min(pixels.size(), kSides);
    ByteReader sides({reinterpret_cast<const char*>(pixels.data()) + size, pixels.size() - size});
    image.rows = sides.left() == kSides ? sides.number<uint32_t>() : 0;
    image.cols = image.rows > 0 ? sides.number<uint32_t>() : 0;
    // With sides up to kMostSide, the product cannot overflow.
    if (image.rows < 1 || image.cols < 1 || image.rows > kMostSide || image.cols > kMostSide ||
        static_cast<size_t>(image.rows * image.cols * image.channels) != size) {
      fail(ExitCode::kData, "{}: {} bytes are not an image of {}x{} pixels", name(index),
           pixels.size(), image.cols, image.rows);
    }
    pixels.resize(size);
    return image::with_channels(std::move(image), channels);
  }

 private:
  static constexpr int64_t kMostSide = int64_t{1} << 30;
};

}  // namespace

bool is_packed_file(const fs::path& file) {
  const RandomAccessFile opened(file);
  return opened.size() >= kPackedMagic.size() &&
         part_of(opened, 0, kPackedMagic.size()) == kPackedMagic;
}

std::unique_ptr<Dataset> open_packed_file(const fs::path& path, Split split) {
  RandomAccessFile file(path);
  try {
    Packed packed = read_packed(file);
    PackedIndex index = split_of(std::move(packed.splits), split);
    if (packed.kind == PackedKind::kJpeg) {
      return std::make_unique<PackedJpegs>(std::move(file), std::move(index));
    }
    return std::make_unique<PackedPixels>(std::move(file), std::move(index));
  } catch (const Error& error) {
    fail(error.code(), "packed file {}: {}", path.string(), error.what());
  }
}

}  // namespace fcm::loader
