// Series of mutants (random changes) of one file. The reader must read or refuse each mutant within
// 1 s.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/stopwatch.h"
#include "tests/support/mutator.h"
#include "tests/support/series.h"

namespace fcm::test {

inline std::vector<std::byte> to_bytes(const std::string& text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

// `read` gets a mutant's bytes in memory of exactly their size, and may throw errors with the code
// `refusal`. `read` must refuse more than a hundredth of the mutants and accept at least one;
// otherwise the series tests nothing.
template <class Read>
void try_mutants(const char* format, const std::vector<std::byte>& whole, ExitCode refusal,
                 const Series& series, const Read& read) {
  ASSERT_NO_THROW(read(whole)) << format << ", unchanged";
  int64_t refused = 0;
  double slowest = 0;
  for (int64_t number = 0; number < series.cases(); ++number) {
    const std::vector<std::byte> mutant =
        Mutator(whole, static_cast<uint64_t>(number), static_cast<uint64_t>(series.seed())).run();
    const Stopwatch watch;
    try {
      read(mutant);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), refusal)
          << format << ", " << series.place(number) << ": " << error.what();
      ++refused;
    }
    slowest = std::max(slowest, watch.seconds());
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << format << ", " << series.place(number);
  }
  EXPECT_LT(slowest, 1) << format;
  EXPECT_GT(refused, series.cases() / 100) << format;
  EXPECT_LT(refused, series.cases()) << format;
  std::printf("%-24s %lld mutants, %lld refused, slowest %.4f s\n", format,
              static_cast<long long>(series.cases()), static_cast<long long>(refused), slowest);
  std::fflush(stdout);
}

}  // namespace fcm::test
