// Ranks as threads of one process: for tests of what ranks have to agree on.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "fcm/dist/group.h"

namespace fcm::dist::test {

// Where the ranks meet: the last to come computes the answer for all.
class Meeting {
 public:
  explicit Meeting(int64_t ranks) : ranks_(ranks) {}
  int64_t ranks() const { return ranks_; }

  int64_t agree(int64_t mine, Agree how) {
    std::unique_lock lock(mutex_);
    values_.push_back(mine);
    const int64_t round = round_;
    if (static_cast<int64_t>(values_.size()) == ranks_) {
      answer_ = settled(how);
      values_.clear();
      ++round_;
      all_came_.notify_all();
    } else {
      all_came_.wait(lock, [&] { return round_ != round; });
    }
    return answer_;
  }

 private:
  int64_t settled(Agree how) const {
    const auto is_true = [](int64_t value) { return value != 0; };
    switch (how) {
      case Agree::kAny:
        return std::any_of(values_.begin(), values_.end(), is_true) ? 1 : 0;
      case Agree::kAll:
        return std::all_of(values_.begin(), values_.end(), is_true) ? 1 : 0;
      case Agree::kMin:
        return *std::min_element(values_.begin(), values_.end());
      case Agree::kMax:
        return *std::max_element(values_.begin(), values_.end());
      case Agree::kSum:
        break;
    }
    int64_t sum = 0;
    for (const int64_t value : values_) sum += value;
    return sum;
  }

  const int64_t ranks_;
  std::mutex mutex_;
  std::condition_variable all_came_;
  std::vector<int64_t> values_;
  int64_t round_ = 0, answer_ = 0;
};

class ThreadGroup final : public Group {
 public:
  ThreadGroup(Meeting& meeting, int64_t rank) : meeting_(meeting), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return meeting_.ranks(); }
  int64_t agree(int64_t mine, Agree how) override { return meeting_.agree(mine, how); }

 private:
  Meeting& meeting_;
  int64_t rank_;
};

// Runs `work` as every rank at once, and throws what the lowest rank that failed threw. A rank that
// throws while others wait for it leaves them waiting: agree first, then throw.
inline void run_ranks(int64_t ranks, const std::function<void(Group&)>& work) {
  Meeting meeting(ranks);
  std::vector<std::exception_ptr> errors(static_cast<size_t>(ranks));
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        ThreadGroup group(meeting, rank);
        work(group);
      } catch (...) {
        errors[static_cast<size_t>(rank)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace fcm::dist::test
