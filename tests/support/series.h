// A long series of random cases, which has a number of cases and a seed.
//
//   FASTCONVMAE_CASES=N   the number of cases instead of the default
//   FASTCONVMAE_SEED=S    the seed; by default a random one
//
// The series prints number and seed and records them in the test's XML. With them a failed series
// can be repeated, and scripts/reliability.sh lists them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "fcm/base/random.h"

namespace fcm::test {

class Series {
 public:
  explicit Series(int64_t default_cases)
      : cases_(number_of("FASTCONVMAE_CASES", default_cases)),
        seed_(number_of("FASTCONVMAE_SEED", static_cast<int64_t>(std::random_device{}()))) {
    note("cases", cases_);
    note("seed", seed_);
  }

  int64_t cases() const { return cases_; }
  int64_t seed() const { return seed_; }

  // The random numbers of one case, independent of the other cases.
  KeyedRandom random_of(int64_t number) const {
    return {static_cast<uint64_t>(seed_), Purpose::kProbe, 0, static_cast<uint64_t>(number)};
  }

  // The name of a case in failure messages, with the seed that repeats it.
  std::string place(int64_t number) const {
    return "case " + std::to_string(number) + " of FASTCONVMAE_SEED=" + std::to_string(seed_);
  }

  // Records a figure of the series in the test's XML.
  template <typename Number>
  static void note(const char* name, Number value) {
    const std::string text = std::to_string(value);
    std::printf("series: %s %s\n", name, text.c_str());
    std::fflush(stdout);
    ::testing::Test::RecordProperty(name, text);
  }

 private:
  static int64_t number_of(const char* variable, int64_t default_value) {
    const char* text = std::getenv(variable);
    return text == nullptr || *text == '\0' ? default_value : std::strtoll(text, nullptr, 10);
  }

  int64_t cases_;
  int64_t seed_;
};

}  // namespace fcm::test
