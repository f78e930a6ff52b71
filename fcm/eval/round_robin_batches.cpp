#include "fcm/eval/round_robin_batches.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace fcm::eval {
namespace {

// A rank's share of the data set. The set is divided into runs of kBatch images; a rank has every
// `ranks`-th run, starting with run `rank`.
class Share final : public loader::Dataset {
 public:
  Share(std::shared_ptr<const loader::Dataset> whole, int64_t rank, int64_t ranks)
      : whole_(std::move(whole)), rank_(rank), ranks_(ranks) {}

  int64_t size() const override {
    const int64_t round = RoundRobinBatches::kBatch * ranks_;
    const int64_t rest = whole_->size() % round - rank_ * RoundRobinBatches::kBatch;
    return whole_->size() / round * RoundRobinBatches::kBatch +
           std::clamp(rest, int64_t{0}, RoundRobinBatches::kBatch);
  }
  image::Image get(int64_t index, int64_t channels) const override {
    return whole_->get(place(index), channels);
  }
  int64_t label(int64_t index) const override { return whole_->label(place(index)); }
  std::string name(int64_t index) const override { return whole_->name(place(index)); }
  const std::vector<std::string>& classes() const override { return whole_->classes(); }

  int64_t place(int64_t index) const {
    const int64_t run = index / RoundRobinBatches::kBatch * ranks_ + rank_;
    return run * RoundRobinBatches::kBatch + index % RoundRobinBatches::kBatch;
  }

 private:
  std::shared_ptr<const loader::Dataset> whole_;
  int64_t rank_, ranks_;
};

}  // namespace

RoundRobinBatches::RoundRobinBatches(std::shared_ptr<const loader::Dataset> dataset,
                                     const recipe::Recipe& recipe, int64_t threads,
                                     const dist::Group& group)
    : rank_(group.rank()),
      ranks_(group.size()),
      rounds_((dataset->size() + kBatch * ranks_ - 1) / (kBatch * ranks_)),
      loader_(std::make_unique<loader::EvalLoader>(loader::EvalLoaderRequest{
          .dataset = std::make_shared<Share>(std::move(dataset), rank_, ranks_),
          .data = recipe.data,
          .targets = loader::TargetKind::kLabel,
          .batch_size = kBatch,
          .threads = threads})) {
  more_ = loader_->next(next_);
}

bool RoundRobinBatches::next(loader::Batch& batch) {
  if (round_ == rounds_) return false;
  // The loader skips batches in which no image could be read, so next_ may belong to a later turn.
  const bool mine = more_ && next_.sample_ids.front() / kBatch == round_;
  ++round_;
  batch = {};
  if (mine) {
    batch = std::move(next_);
    for (int64_t& sample : batch.sample_ids) {
      sample = (sample / kBatch * ranks_ + rank_) * kBatch + sample % kBatch;
    }
    next_ = {};
    more_ = loader_->next(next_);
  }
  if (round_ == rounds_) {  // adds the unreadable images after the last batch
    batch.bad.insert(batch.bad.end(), next_.bad.begin(), next_.bad.end());
  }
  return true;
}

}  // namespace fcm::eval
