#include "bench/timed_group.h"

#include <future>

namespace fcm::bench {

class TimedGroup::Timed final : public dist::Pending {
 public:
  Timed(TimedGroup& group, size_t place, std::unique_ptr<dist::Pending> sum)
      : group_(group),
        place_(place),
        sum_(std::move(sum)),
        end_(std::async(std::launch::async, [this] {
          sum_->wait();
          return group_.watch_.seconds();
        })) {}
  void wait() override { group_.sums_[place_].end = end_.get(); }

 private:
  TimedGroup& group_;
  size_t place_;
  std::unique_ptr<dist::Pending> sum_;
  std::future<double> end_;
};

void TimedGroup::record() {
  sums_.clear();
  recording_ = true;
  watch_.restart();
}

std::unique_ptr<dist::Pending> TimedGroup::start_sum(const at::Tensor& values) {
  if (!recording_) return group_->start_sum(values);
  sums_.push_back({static_cast<int64_t>(values.nbytes()), watch_.seconds(), 0});
  const size_t place = sums_.size() - 1;
  return std::make_unique<Timed>(*this, place, group_->start_sum(values));
}

}  // namespace fcm::bench
