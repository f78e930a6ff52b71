// Reads mutants of existing .pth files. Each must be refused with a reason or read soundly.
#pragma once

#include "tests/formats/pth_support.h"
#include "tests/support/mutator.h"

namespace fcm::formats {

using test::Mutator;

struct MutantCounts {
  int64_t read = 0;
  int64_t refused = 0;
};

// Expects that the views of an accepted mutant are within its memory and have the size of their
// shapes.
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

// Reads `count` mutants of a file and counts the outcomes. The mutants depend on `seed`.
inline void try_mutants(const fs::path& path, uint64_t count, MutantCounts& counts,
                        uint64_t seed = 3) {
  const std::vector<std::byte> whole = bytes_of_file(path);
  ASSERT_EQ(error_of([&] { parse_pth(whole, "whole"); }), "");
  for (uint64_t number = 0; number < count; ++number) {
    const std::vector<std::byte> mutant = Mutator(whole, number, seed).run();
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
