// A long series of random cases: how many of them and from which seed.
//
//   FASTCONVMAE_CASES=N   another number of cases than usual
//   FASTCONVMAE_SEED=S    the cases of an earlier series; without it a new seed is drawn
//
// What was tried is printed and recorded in the test's XML, so that a series that failed can be
// repeated, and a table can say what was measured (scripts/reliability.sh).
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
  explicit Series(int64_t usual_cases)
      : cases_(number_of("FASTCONVMAE_CASES", usual_cases)),
        seed_(number_of("FASTCONVMAE_SEED", static_cast<int64_t>(std::random_device{}()))) {
    note("cases", cases_);
    note("seed", seed_);
  }

  int64_t cases() const { return cases_; }
  int64_t seed() const { return seed_; }

  // The draws of one case, independent of the others.
  KeyedRandom random_of(int64_t number) const {
    return {static_cast<uint64_t>(seed_), Purpose::kProbe, 0, static_cast<uint64_t>(number)};
  }

  // Where a failure is: what repeats it.
  std::string place(int64_t number) const {
    return "case " + std::to_string(number) + " of FASTCONVMAE_SEED=" + std::to_string(seed_);
  }

  // A figure of the series.
  template <typename Number>
  static void note(const char* name, Number value) {
    const std::string text = std::to_string(value);
    std::printf("series: %s %s\n", name, text.c_str());
    std::fflush(stdout);
    ::testing::Test::RecordProperty(name, text);
  }

 private:
  static int64_t number_of(const char* variable, int64_t usual) {
    const char* text = std::getenv(variable);
    return text == nullptr || *text == '\0' ? usual : std::strtoll(text, nullptr, 10);
  }

  int64_t cases_;
  int64_t seed_;
};

}  // namespace fcm::test
