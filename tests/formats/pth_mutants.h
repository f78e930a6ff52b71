// Changes of files that exist: each mutant is refused with a reason, or read.
#pragma once

#include "fcm/base/random.h"
#include "tests/formats/pth_support.h"

namespace fcm::formats {

// Bytes flipped, replaced, inserted, removed, copied elsewhere, or the rest cut off. Changes fall
// where the structure is, rather than into megabytes of values: near the beginning, near the end,
// or anywhere.
class Mutator {
 public:
  Mutator(const std::vector<std::byte>& whole, uint64_t number)
      : bytes_(whole), random_(3, Purpose::kSynthetic, 0, number) {}

  std::vector<std::byte> run() {
    for (uint64_t changes = 1 + random_.below(3); changes > 0 && !bytes_.empty(); --changes) {
      change(place());
    }
    return std::move(bytes_);
  }

 private:
  size_t place() {
    const size_t near = std::min<size_t>(bytes_.size(), 4096);
    switch (random_.below(4)) {
      case 0:
        return random_.below(bytes_.size());
      case 1:
        return bytes_.size() - 1 - random_.below(near);
      default:
        return random_.below(near);
    }
  }

  void change(size_t at) {
    const auto where = bytes_.begin() + static_cast<ptrdiff_t>(at);
    const auto value = static_cast<std::byte>(random_.next());
    const size_t count = std::min<size_t>(1 + random_.below(16), bytes_.size() - at);
    switch (random_.below(8)) {
      case 0:
      case 1:
        *where ^= static_cast<std::byte>(1U << random_.below(8));
        break;
      case 2:
      case 3:
        *where = value;
        break;
      case 4:
        *where = random_.below(2) == 0 ? std::byte{0xff} : std::byte{0};
        break;
      case 5:
        bytes_.insert(where, value);
        break;
      case 6:
        bytes_.erase(where, where + static_cast<ptrdiff_t>(count));
        break;
      default:
        if (random_.below(8) == 0) {
          bytes_.resize(at);
        } else {
          const size_t from = random_.below(bytes_.size() - count + 1);
          std::memmove(bytes_.data() + at, bytes_.data() + from, count);
        }
    }
  }

  std::vector<std::byte> bytes_;
  KeyedRandom random_;
};

struct MutantCounts {
  int64_t read = 0;
  int64_t refused = 0;
};

// A mutant that is read has views inside its memory, of the size that their shapes say.
inline void expect_sound(const PthFile& file, uint64_t file_bytes) {
  const auto inside = [](std::span<const std::byte> view, const Buffer& buffer) {
    return view.data() >= buffer.data() &&
           view.data() + view.size() <= buffer.data() + buffer.size();
  };
  ASSERT_LE(file.copies.size(), file_bytes + (16U << 20));
  for (const TensorView& tensor : file.tensors) {
    ASSERT_TRUE(tensor.bytes.empty() || inside(tensor.bytes, file.storage) ||
                inside(tensor.bytes, file.copies))
        << tensor.name;
    uint64_t elements = 1;
    for (const int64_t extent : tensor.shape) elements *= static_cast<uint64_t>(extent);
    ASSERT_EQ(tensor.bytes.size() % std::max<uint64_t>(1, elements), 0U) << tensor.name;
  }
}

inline void try_mutants(const fs::path& path, uint64_t count, MutantCounts& counts) {
  const std::vector<std::byte> whole = bytes_of_file(path);
  ASSERT_EQ(error_of([&] { parse_pth(whole, "whole"); }), "");
  for (uint64_t number = 0; number < count; ++number) {
    const std::vector<std::byte> mutant = Mutator(whole, number).run();
    try {
      expect_sound(parse_pth(mutant, "mutant"), mutant.size());
      ++counts.read;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::kCheckpoint) << number << ": " << error.what();
      ASSERT_LT(std::string(error.what()).size(), 600U) << number;
      ++counts.refused;
    }
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << path << ", mutant " << number;
  }
}

}  // namespace fcm::formats
