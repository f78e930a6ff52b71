// Tests safetensors files: written and read back, truncated and mutated.
#include "fcm/formats/safetensors.h"

#include <rapidcheck.h>
#include <sys/resource.h>

#include <array>
#include <bit>
#include <csignal>
#include <limits>

#include "fcm/base/random.h"
#include "tests/formats/support.h"

namespace fcm::formats {
namespace {

class SafetensorsTest : public TemporaryFolderTest {
 protected:
  std::vector<std::byte> written(std::span<const TensorView> tensors,
                                 const std::map<std::string, std::string>& metadata = {}) const {
    write_safetensors(folder_ / "file.safetensors", tensors, metadata);
    return bytes_of_text(read_file(folder_ / "file.safetensors", ExitCode::kCheckpoint));
  }
};

constexpr std::array<std::pair<const char*, size_t>, 17> kTypes = {{{"BOOL", 1},
                                                                    {"U8", 1},
                                                                    {"I8", 1},
                                                                    {"F8_E5M2", 1},
                                                                    {"F8_E4M3", 1},
                                                                    {"F8_E8M0", 1},
                                                                    {"I16", 2},
                                                                    {"U16", 2},
                                                                    {"F16", 2},
                                                                    {"BF16", 2},
                                                                    {"I32", 4},
                                                                    {"U32", 4},
                                                                    {"F32", 4},
                                                                    {"I64", 8},
                                                                    {"U64", 8},
                                                                    {"F64", 8},
                                                                    {"C64", 8}}};

std::vector<std::byte> random_bytes(KeyedRandom& random, size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

TEST_F(SafetensorsTest, EveryTypeComesBackBitByBit) {
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  std::vector<std::vector<std::byte>> owners;
  std::vector<TensorView> tensors;
  for (const auto& [dtype, size] : kTypes) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{3, 5}, std::vector<int64_t>{}, std::vector<int64_t>{2, 0, 7}}) {
      size_t count = size;
      for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
      owners.push_back(random_bytes(random, count));
      tensors.push_back({fmt::format("{}.{}", dtype, shape.size()), dtype, shape, owners.back()});
    }
  }
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"a \"b\"\n", "ü\x01"}};
  const TensorFile file = parse_safetensors(written(tensors, metadata), "memory");
  EXPECT_TRUE(same_tensors(file, tensors));
  EXPECT_EQ(file.metadata, metadata);
  EXPECT_TRUE(same_tensors(read_safetensors(folder_ / "file.safetensors"), tensors));
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{"file.safetensors"});
}

TEST_F(SafetensorsTest, PayloadsOfNaNAndSignedZerosAreKept) {
  const std::array<uint32_t, 6> floats = {0x7fc00001, 0xffc12345, 0x7f800001,
                                          0x80000000, 0x7f800000, 0x00000001};
  const std::array<uint64_t, 2> doubles = {0x7ff8dead'beef0001, 0xfff00000'00000001};
  const std::vector<TensorView> tensors = {{"f", "F32", {6}, std::as_bytes(std::span(floats))},
                                           {"d", "F64", {2}, std::as_bytes(std::span(doubles))}};
  EXPECT_TRUE(same_tensors(parse_safetensors(written(tensors), "memory"), tensors));
}

TEST_F(SafetensorsTest, MovingAFileKeepsItsViews) {
  const SmallState small(3);
  TensorFile file = parse_safetensors(written(small.model()), "memory");
  const TensorFile moved = std::move(file);
  EXPECT_TRUE(same_tensors(moved, small.model()));
  ASSERT_NE(moved.find("count"), nullptr);
  EXPECT_EQ(moved.find("count")->dtype, "I64");
  EXPECT_EQ(moved.find("absent"), nullptr);
  static_assert(!std::is_copy_constructible_v<TensorFile>);
}

TEST_F(SafetensorsTest, LayoutIsThatOfTheFormat) {
  const std::array<uint8_t, 3> values = {7, 8, 9};
  const std::vector<std::byte> bytes =
      written(std::vector<TensorView>{{"t", "U8", {3}, std::as_bytes(std::span(values))}});
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0U);
  std::string header(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  header.erase(header.find_last_not_of(' ') + 1);
  EXPECT_EQ(header, R"({"t":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})");
  ASSERT_EQ(bytes.size(), 8 + length + 3);
  EXPECT_EQ(bytes.back(), std::byte{9});
  const std::vector<std::byte> empty = written({});
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(empty.data()) + 8, empty.size() - 8),
            "{}      ");
  EXPECT_TRUE(parse_safetensors(empty, "memory").tensors.empty());
}

TEST_F(SafetensorsTest, WriterRefusesViewsThatAreWrong) {
  const std::array<float, 2> values = {1, 2};
  const auto bytes = std::as_bytes(std::span(values));
  const auto refused = [&](const std::vector<TensorView>& tensors) {
    return error_of([&] { write_safetensors(folder_ / "x.safetensors", tensors, {}); });
  };
  EXPECT_NE(refused({{"a", "F32", {3}, bytes}}).find("shape"), std::string::npos);
  EXPECT_NE(refused({{"a", "F32", {-2}, bytes}}).find("shape"), std::string::npos);
  EXPECT_NE(refused({{"a", "float", {2}, bytes}}).find("float"), std::string::npos);
  EXPECT_NE(refused({{"a", "F32", {2}, bytes}, {"a", "F32", {2}, bytes}}).find("duplicate"),
            std::string::npos);
  EXPECT_NE(refused({{"__metadata__", "F32", {2}, bytes}}).find("duplicate"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(SafetensorsTest, WriterFailuresKeepTheFileThatWasThere) {
  const SmallState old_state(1), new_state(2);
  const fs::path path = folder_ / "w.safetensors";
  write_safetensors(path, old_state.model(), {});
  failpoint::arm("checkpoint:0:kill");
  write_safetensors(path, old_state.model(), {});
  const int64_t points = failpoint::hits();
  ASSERT_GE(points, 10);
  for (int64_t point = 1; point <= points; ++point) {
    failpoint::arm(fmt::format("checkpoint:{}:ENOSPC", point));
    const std::string error = error_of([&] { write_safetensors(path, new_state.model(), {}); });
    failpoint::disarm();
    const bool is_new = same_tensors(read_safetensors(path), new_state.model());
    EXPECT_TRUE(is_new || same_tensors(read_safetensors(path), old_state.model())) << point;
    // Point 2 is after the open and cannot fail; the last point is after the rename.
    EXPECT_EQ(is_new, point == 2 || point == points) << point;
    EXPECT_EQ(error.empty(), point == 2) << point << error;
    EXPECT_EQ(names_in(folder_).size(), 1U) << point;
    write_safetensors(path, old_state.model(), {});
  }
}

TEST_F(SafetensorsTest, AFullDeviceAndALimitOnFileSizeAreErrors) {
  fs::create_symlink("/dev/full", folder_ / "full.safetensors.tmp");
  const SmallState small(1);
  const std::string error =
      error_of([&] { write_safetensors(folder_ / "full.safetensors", small.model(), {}); });
  EXPECT_NE(error.find("No space left on device"), std::string::npos) << error;
  const int signal = signal_of_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const fs::path path = folder_ / "limited.safetensors";
    if (error_of([&] { write_safetensors(path, small.model(), {}); }).empty()) ::abort();
  });
  EXPECT_EQ(signal, 0);
  EXPECT_FALSE(fs::exists(folder_ / "limited.safetensors"));
  EXPECT_FALSE(fs::exists(folder_ / "limited.safetensors.tmp"));
}

TEST_F(SafetensorsTest, EveryTruncationIsRefused) {
  const SmallState small(5);
  const std::vector<std::byte> whole = written(small.model(), {{"key", "value"}});
  ASSERT_NO_THROW(parse_safetensors(whole, "memory"));
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_NE(error_of([&] { parse_safetensors(cut, "memory"); }), "") << size;
  }
  std::vector<std::byte> longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_NE(error_of([&] { parse_safetensors(longer, "memory"); }).find("appended"),
            std::string::npos);
}

TEST_F(SafetensorsTest, TheFileReaderAgreesWithTheOneInMemory) {
  const SmallState small(5);
  const std::vector<std::byte> whole = written(small.model());
  for (size_t size = 0; size <= whole.size(); size += 3) {
    fs::resize_file(folder_ / "file.safetensors", size);
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const std::string in_memory = error_of([&] { parse_safetensors(cut, "memory"); });
    std::string in_file = error_of([&] { read_safetensors(folder_ / "file.safetensors"); });
    EXPECT_EQ(in_memory.empty(), in_file.empty());
    EXPECT_EQ(in_memory.substr(in_memory.find(':') + 1), in_file.substr(in_file.find(':') + 1));
    written(small.model());
  }
}

// Expects that a mutated file is refused or is itself valid: its tensors cover the data without
// gaps or overlaps, and reading returns its bytes.
void expect_refused_or_valid(const std::vector<std::byte>& bytes, int64_t& accepted) {
  TensorFile file;
  if (!error_of([&] { file = parse_safetensors(bytes, "mutant"); }).empty()) return;
  ++accepted;
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const std::byte* next = file.data.data() + 8 + length;
  for (const TensorView& tensor : file.tensors) {
    ASSERT_TRUE(tensor.bytes.empty() || tensor.bytes.data() == next);
    next += tensor.bytes.size();
    size_t count = 0;
    for (const auto& [dtype, size] : kTypes) {
      if (tensor.dtype == dtype) count = size;
    }
    ASSERT_GT(count, 0U);
    for (const int64_t extent : tensor.shape) count *= static_cast<size_t>(extent);
    ASSERT_EQ(count, tensor.bytes.size());
  }
  ASSERT_EQ(next, file.data.data() + file.data.size());
  ASSERT_TRUE(std::ranges::equal(file.data.bytes(), bytes));
}

TEST_F(SafetensorsTest, MutationsAreRefusedOrValidInTheirOwnRight) {
  const SmallState small(7);
  const std::vector<std::byte> whole = written(small.model(), {{"key", "value"}});
  const std::string alphabet = "{}[]\",:0123456789eE.-+_ \t\n\\abdefhmnoprstuyFIBU";
  int64_t accepted = 0;
  constexpr uint64_t kMutants = 20000;
  for (uint64_t mutant = 0; mutant < kMutants; ++mutant) {
    KeyedRandom random(2, Purpose::kSynthetic, 0, mutant);
    std::vector<std::byte> bytes = whole;
    for (uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
      const size_t place = random.below(bytes.size());
      const auto at = bytes.begin() + static_cast<ptrdiff_t>(place);
      const auto letter = static_cast<std::byte>(alphabet[random.below(alphabet.size())]);
      switch (random.below(6)) {
        case 0:
          *at ^= static_cast<std::byte>(1U << random.below(8));
          break;
        case 1:
          *at = static_cast<std::byte>(random.next());
          break;
        case 2:
          *at = letter;
          break;
        case 3:
          bytes.erase(at);
          break;
        case 4:
          bytes.insert(at, letter);
          break;
        default: {  // copies a part to another position
          const size_t from = random.below(bytes.size());
          const size_t count =
              random.below(std::min(bytes.size() - std::max(from, place), size_t{24}) + 1);
          const std::vector<std::byte> piece(bytes.begin() + static_cast<ptrdiff_t>(from),
                                             bytes.begin() + static_cast<ptrdiff_t>(from + count));
          std::copy(piece.begin(), piece.end(), at);
        }
      }
    }
    // In half of the mutants whose size changed, the length of the header is adjusted to the new
    // size, as an attacker would do.
    if (bytes.size() != whole.size() && bytes.size() > 8 && random.below(2) == 0) {
      uint64_t length = 0;
      std::memcpy(&length, whole.data(), 8);
      length += bytes.size() - whole.size();
      std::memcpy(bytes.data(), &length, 8);
    }
    expect_refused_or_valid(bytes, accepted);
    if (HasFatalFailure()) FAIL() << "mutant " << mutant;
  }
  EXPECT_GT(accepted, 100);  // mutants with changes in the data only
  EXPECT_LT(accepted, static_cast<int64_t>(kMutants) * 3 / 4);
}

// Random files read back equal to what was written.
TEST_F(SafetensorsTest, RoundTripProperty) {
  const bool holds = rc::check("written tensors come back", [&] {
    const auto count = *rc::gen::inRange(0, 8);
    std::vector<std::vector<std::byte>> owners;
    std::vector<TensorView> tensors;
    for (int i = 0; i < count; ++i) {
      const auto& [dtype, size] = kTypes[*rc::gen::inRange<size_t>(0, kTypes.size())];
      const auto shape = *rc::gen::container<std::vector<int64_t>>(rc::gen::inRange<int64_t>(0, 5));
      RC_PRE(shape.size() < 6);
      size_t bytes = size;
      for (const int64_t extent : shape) bytes *= static_cast<size_t>(extent);
      const auto seed = *rc::gen::arbitrary<uint32_t>();
      KeyedRandom random(seed, Purpose::kSynthetic, 0, 0);
      owners.push_back(random_bytes(random, bytes));
      const auto suffix = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
      tensors.push_back({fmt::format("{}{}", i, suffix), dtype, shape, owners.back()});
    }
    const auto text = rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
    const auto metadata = *rc::gen::container<std::map<std::string, std::string>>(text, text);
    const TensorFile file = parse_safetensors(written(tensors, metadata), "memory");
    RC_ASSERT(same_tensors(file, tensors));
    RC_ASSERT(file.metadata == metadata);
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace fcm::formats
