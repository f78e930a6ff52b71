// Reads mutants (randomly changed files) of every kind of data file.
#include <zlib.h>

#include <functional>

#include "fcm/loader/sources/checksum.h"
#include "fcm/loader/sources/coco_file.h"
#include "fcm/loader/sources/packed_writer.h"
#include "fcm/loader/sources/sources.h"
#include "fcm/loader/sources/tar_samples.h"
#include "tests/fuzz/memory_file.h"
#include "tests/image/codec_support.h"
#include "tests/loader/coco_support.h"
#include "tests/loader/support.h"
#include "tests/loader/tar_support.h"
#include "tests/support/mutants.h"

namespace fcm::loader {
namespace {

using test::to_bytes;
using test::try_mutants;

fuzz::MemoryFile in_memory(std::span<const std::byte> bytes) {
  return fuzz::MemoryFile({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

void read_all(const Dataset& set) {
  for (int64_t i = 0; i < std::min<int64_t>(set.size(), 100); ++i) {
    set.name(i);
    try {
      const image::Image image = set.get(i, 3);
      ASSERT_EQ(std::ssize(image.pixels), image.rows * image.cols * 3);
      ASSERT_LT(set.label(i), std::ssize(set.classes()));
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::kData) << error.what();
    }
  }
}

std::string text_of(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

std::string big_endian(const std::vector<uint32_t>& words) {
  std::string text;
  for (const uint32_t word : words) {
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(word >> shift);
  }
  return text;
}

std::string gzipped(std::string text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(MutantsSlow, OfTarShards) {
  const test::Series series(100'000);
  const std::string jpeg = text_of(test::encode_jpeg(test::scene(20, 24)));
  const std::string archive = test::tar_member("p", test::pax_record("path", "long.jpg"), 'x') +
                              test::tar_member("a.jpg", jpeg) + test::tar_member("a.cls", "1") +
                              test::tar_member("b.jpg", jpeg) + test::tar_member("b.cls", "0") +
                              test::tar_end();
  try_mutants("tar", to_bytes(archive), ExitCode::kData, series, [](const auto& bytes) {
    const fuzz::MemoryFile file = in_memory(bytes);
    for (const TarSample& sample : contents_of_tar(RandomAccessFile(file.path())).samples) {
      ASSERT_LE(sample.begin + sample.size, bytes.size());
    }
  });
}

// Mutates the images of an IDX set, then its labels.
void try_idx(const char* ending, const std::function<std::string(std::string)>& stored) {
  const test::Series series(100'000);
  const std::string images = stored(big_endian({0x803, 3, 4, 5}) + std::string(60, 'x')),
                    labels = stored(big_endian({0x801, 3}) + std::string("\0\1\2", 3));
  const test::Scratch scratch;
  const auto first = scratch.path() / (std::string("x-images-idx3-ubyte") + ending),
             second = scratch.path() / (std::string("x-labels-idx1-ubyte") + ending);
  const auto read = [&](const auto& one, const auto& other) {
    const fuzz::MemoryFile one_file = in_memory(one), other_file = in_memory(other);
    std::filesystem::create_symlink(one_file.path(), first);
    std::filesystem::create_symlink(other_file.path(), second);
    const auto remove = [&] {
      std::filesystem::remove(first);
      std::filesystem::remove(second);
    };
    try {
      read_all(*open_idx_file(first, {}));
    } catch (...) {
      remove();
      throw;
    }
    remove();
  };
  const std::vector<std::byte> whole_images = to_bytes(images), whole_labels = to_bytes(labels);
  try_mutants((std::string("IDX images") + ending).c_str(), whole_images, ExitCode::kData, series,
              [&](const auto& bytes) { read(bytes, whole_labels); });
  try_mutants((std::string("IDX labels") + ending).c_str(), whole_labels, ExitCode::kData, series,
              [&](const auto& bytes) { read(whole_images, bytes); });
}

TEST(MutantsSlow, OfIdx) {
  try_idx("", [](std::string text) { return text; });
}

TEST(MutantsSlow, OfGzippedIdx) { try_idx(".gz", gzipped); }

TEST(MutantsSlow, OfCifar) {
  const test::Series series(100'000);
  std::string records;
  for (int i = 0; i < 2; ++i) records += static_cast<char>(i) + std::string(3072, 'p');
  try_mutants("CIFAR", to_bytes(records), ExitCode::kData, series, [](const auto& bytes) {
    const fuzz::MemoryFile file = in_memory(bytes);
    read_all(*open_cifar_file(file.path()));
  });
}

TEST(MutantsSlow, OfCocoFiles) {
  const test::Series series(100'000);
  try_mutants("COCO's instances", to_bytes(test::small_coco().dump()), ExitCode::kData, series,
              [](const auto& bytes) {
                const fuzz::MemoryFile memory = in_memory(bytes);
                const CocoFile file(memory.path());
                for (int64_t i = 0; i < file.size(); ++i) {
                  const ImageRecord& record = file.record(i);
                  for (const Instance& one : file.instances(i).instances) {
                    ASSERT_LT(one.class_number, std::ssize(file.classes().ids));
                    if (record.rows * record.cols < 100'000) {
                      ASSERT_EQ(mask_of(one, record.rows, record.cols).rows, record.rows);
                    }
                  }
                }
              });
}

TEST(MutantsSlow, OfPackedFiles) {
  const test::Series series(100'000);
  const test::Scratch scratch;
  const auto path = scratch.path() / "x.fcm";
  {
    PackedWriter writer(path, PackedKind::kJpeg);
    writer.begin(PackedSplit::kBoth, {"ant", "bee"});
    const std::string jpeg = text_of(test::encode_jpeg(test::scene(20, 24)));
    for (int i = 0; i < 3; ++i) writer.add(jpeg, checksum(jpeg), i % 2, "name");
    writer.finish();
  }
  try_mutants("packed", to_bytes(read_file(path, ExitCode::kData)), ExitCode::kData, series,
              [](const auto& bytes) {
                const fuzz::MemoryFile file = in_memory(bytes);
                read_all(*open_packed_file(file.path(), Split::kTrain));
              });
}

}  // namespace
}  // namespace fcm::loader
