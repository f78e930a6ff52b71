// Ranks as threads of one process, for tests of decisions on which the ranks must agree.
#pragma once

#include <ATen/ATen.h>

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "fcm/dist/group.h"

namespace fcm::dist::test {

// Exchanges values between ranks. Each rank waits until all have passed their values.
class Exchange {
 public:
  explicit Exchange(int64_t ranks) : ranks_(ranks) {}
  int64_t ranks() const { return ranks_; }

  // The values of all ranks, in the order of ranks.
  std::vector<at::Tensor> exchange(int64_t rank, const at::Tensor& mine) {
    std::unique_lock lock(mutex_);
    if (values_.empty()) values_.resize(static_cast<size_t>(ranks_));
    values_[static_cast<size_t>(rank)] = mine.clone();
    const int64_t round = round_;
    if (++came_ == ranks_) {
      brought_ = std::exchange(values_, {});
      came_ = 0;
      ++round_;
      all_came_.notify_all();
    } else {
      all_came_.wait(lock, [&] { return round_ != round; });
    }
    return brought_;
  }

 private:
  const int64_t ranks_;
  std::mutex mutex_;
  std::condition_variable all_came_;
  std::vector<at::Tensor> values_, brought_;
  int64_t round_ = 0, came_ = 0;
};

class ThreadGroup final : public Group {
 public:
  ThreadGroup(Exchange& meeting, int64_t rank) : meeting_(meeting), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return meeting_.ranks(); }
  int64_t agree(int64_t mine, Agree how) override {
    const at::Tensor all_R = at::cat(exchange(at::full({1}, mine, at::kLong)));
    switch (how) {
      case Agree::kAny:
        return all_R.ne(0).any().item<bool>() ? 1 : 0;
      case Agree::kAll:
        return all_R.ne(0).all().item<bool>() ? 1 : 0;
      case Agree::kMin:
        return all_R.min().item<int64_t>();
      case Agree::kMax:
        return all_R.max().item<int64_t>();
      case Agree::kSum:
        break;
    }
    return all_R.sum().item<int64_t>();
  }
  std::unique_ptr<Pending> start_sum(const at::Tensor& values) override {
    return later([this, values] {
      const std::vector<at::Tensor> all = exchange(values);
      values.copy_(all.front());
      for (size_t rank = 1; rank < all.size(); ++rank) values.add_(all[rank]);
    });
  }
  std::unique_ptr<Pending> start_broadcast(const at::Tensor& values, int64_t from) override {
    return later(
        [this, values, from] { values.copy_(exchange(values)[static_cast<size_t>(from)]); });
  }
  std::vector<at::Tensor> gather(const at::Tensor& mine) override { return exchange(mine); }

 private:
  // The work runs in wait(): all ranks wait for the same operations in the same order.
  class Later final : public Pending {
   public:
    explicit Later(std::function<void()> work) : work_(std::move(work)) {}
    void wait() override {
      const at::NoGradGuard no_grad;
      work_();
    }

   private:
    std::function<void()> work_;
  };
  static std::unique_ptr<Pending> later(std::function<void()> work) {
    return std::make_unique<Later>(std::move(work));
  }
  std::vector<at::Tensor> exchange(const at::Tensor& mine) {
    return meeting_.exchange(rank_, mine.detach());
  }

  Exchange& meeting_;
  int64_t rank_;
};

// Runs `work` as every rank at once, and rethrows the exception of the lowest rank that failed. A
// rank that throws while others wait for it leaves them waiting, so `work` must agree before it
// throws.
inline void run_ranks(int64_t ranks, const std::function<void(Group&)>& work) {
  Exchange meeting(ranks);
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
