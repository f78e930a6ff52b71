// Splits work over threads in blocks whose borders do not depend on the number of threads, so that
// sums over blocks are the same on any machine.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace fcm::ops {

struct Blocks {
  int64_t items;
  int64_t per_block;

  int64_t count() const { return (items + per_block - 1) / per_block; }
  int64_t begin(int64_t block) const { return block * per_block; }
  int64_t size(int64_t block) const { return std::min(per_block, items - begin(block)); }
};

// Blocks of at least `smallest` items, at most 128 blocks.
inline Blocks make_blocks(int64_t items, int64_t smallest) {
  constexpr int64_t kMost = 128;
  return {items, std::max({smallest, (items + kMost - 1) / kMost, int64_t{1}})};
}

// Calls task(block) for every block, in parallel.
template <class Task>
void for_each_block(const Blocks& blocks, const Task& task) {
  at::parallel_for(0, blocks.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) task(block);
  });
}

// Dynamic scheduling for items of unequal cost: a free thread takes the next item. Each thread
// calls make_task() once and gets a task(item) with its own memory. The result of an item must not
// depend on which items were processed before.
template <class MakeTask>
void for_each_dynamic(int64_t items, const MakeTask& make_task) {
  std::atomic<int64_t> next{0};
  const int64_t threads = std::min(items, static_cast<int64_t>(at::get_num_threads()));
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    auto task = make_task();
    for (int64_t item = next++; item < items; item = next++) task(item);
  });
}

}  // namespace fcm::ops
