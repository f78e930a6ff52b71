// The memory policy: after warm-up steps a training step takes no memory from the system, and large
// tensors are in huge pages.
#include "apps/memory_policy.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "fcm/base/stats.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "tests/support/compare.h"
#include "tests/train/small_model.h"

namespace fcm::apps {
namespace {

// Memory taken from the system since the object was constructed.
class MemoryTaken {
 public:
  int64_t pages() const { return faults() - faults_; }  // touched for the first time
  int64_t heap_bytes() const { return static_cast<char*>(::sbrk(0)) - end_; }

 private:
  static int64_t faults() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  }
  int64_t faults_ = faults();
  char* end_ = static_cast<char*>(::sbrk(0));
};

// The memory that each step takes after 60 warm-up steps, during which the positions of blocks on
// the heap settle. Steps run on one thread: the scratch buffers of several threads would be at
// other positions in each step.
struct Cost {
  std::vector<int64_t> pages, heap_bytes;  // per step
};

Cost cost_of_steps(at::ScalarType compute, int steps) {
  const test::OneThread one_thread;
  recipe::Recipe recipe = train::small_recipe();
  recipe.encoder.dims = {32, 48, 64};
  recipe.pretrain().decoder.dim = 64;
  recipe.optim.batch_size = 32;  // about 10 MB of activations
  recipe.model.precision = recipe::compute_name(compute);
  train::PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
  const loader::Batch batch = train::random_batch(recipe);
  const auto step = [&] { learner.update(batch, {1e-4, recipe.optim.batch_size}); };
  for (int i = 0; i < 60; ++i) step();
  Cost cost;
  for (int i = 0; i < steps; ++i) {
    const MemoryTaken asked;
    step();
    cost.pages.push_back(asked.pages());
    cost.heap_bytes.push_back(asked.heap_bytes());
  }
  return cost;
}

class SteadyMemory : public testing::TestWithParam<at::ScalarType> {
 protected:
  void TearDown() override { keep_memory(); }
};

// Checks medians, because a block on the heap still gets a new position now and then.
TEST_P(SteadyMemory, AStepTakesNoMemoryFromTheSystem) {
  keep_memory();
  const Cost cost = cost_of_steps(GetParam(), 15);
  EXPECT_LT(median(cost.pages), 16);
  EXPECT_EQ(median(cost.heap_bytes), 0);
}

// Negative control, in a process of its own: the heap of this process has free blocks of other
// tests, which the steps would reuse.
TEST_P(SteadyMemory, WithoutThePolicyItWouldBeNoticed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto measure = [] {
    ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);  // large blocks by mmap, the C library's default
    ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    const int64_t pages = median(cost_of_steps(GetParam(), 3).pages);
    fmt::print(stderr, "{} pages", pages);
    std::_Exit(pages > 500 ? 0 : 1);
  };
  EXPECT_EXIT(measure(), testing::ExitedWithCode(0), "pages");
}

// Bytes of this process that are in huge pages (2 MiB); -1 if unknown.
int64_t huge_bytes() {
  std::ifstream file("/proc/self/smaps_rollup");
  std::string word;
  int64_t kilobytes = 0;
  while (file >> word) {
    if (word == "AnonHugePages:" && file >> kilobytes) return kilobytes * 1024;
  }
  return -1;
}

int64_t huge_bytes_of_a_tensor() {
  const int64_t before = huge_bytes();
  const at::Tensor tensor = at::ones({int64_t{64} << 20}, at::kFloat);
  return huge_bytes() - before;
}

// Needs the system's setting "madvise": then only programs that request huge pages get them.
TEST(HugePages, AreBehindTensors) {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string modes;
  std::getline(file, modes);
  if (modes.find("[madvise]") == std::string::npos || huge_bytes() < 0) {
    GTEST_SKIP() << "transparent huge pages are not set to madvise: " << modes;
  }
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto is_half = [](bool policy) {
    if (policy) keep_memory();
    std::_Exit(huge_bytes_of_a_tensor() > (int64_t{128} << 20) ? 1 : 0);
  };
  EXPECT_EXIT(is_half(false), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(is_half(true), testing::ExitedWithCode(1), "");
}

INSTANTIATE_TEST_SUITE_P(Types, SteadyMemory, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& type) { return std::string(at::toString(type.param)); });

}  // namespace
}  // namespace fcm::apps
