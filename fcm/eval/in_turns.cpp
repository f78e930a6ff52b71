#include "fcm/eval/in_turns.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace fcm::eval {
namespace {

// A rank's share: runs of kBatch images, every `ranks`-th of them, starting with run `rank`.
class Share final : public loader::Dataset {
 public:
  Share(std::shared_ptr<const loader::Dataset> whole, int64_t rank, int64_t ranks)
      : whole_(std::move(whole)), rank_(rank), ranks_(ranks) {}

  int64_t size() const override {
    const int64_t turn = InTurns::kBatch * ranks_;
    const int64_t rest = whole_->size() % turn - rank_ * InTurns::kBatch;
    return whole_->size() / turn * InTurns::kBatch + std::clamp(rest, int64_t{0}, InTurns::kBatch);
  }
  image::Image get(int64_t index, int64_t channels) const override {
    return whole_->get(place(index), channels);
  }
  int64_t label(int64_t index) const override { return whole_->label(place(index)); }
  std::string name(int64_t index) const override { return whole_->name(place(index)); }
  const std::vector<std::string>& classes() const override { return whole_->classes(); }

  int64_t place(int64_t index) const {
    const int64_t run = index / InTurns::kBatch * ranks_ + rank_;
    return run * InTurns::kBatch + index % InTurns::kBatch;
  }

 private:
  std::shared_ptr<const loader::Dataset> whole_;
  int64_t rank_, ranks_;
};

}  // namespace

InTurns::InTurns(std::shared_ptr<const loader::Dataset> dataset, const recipe::Recipe& recipe,
                 int64_t threads, const dist::Group& group)
    : rank_(group.rank()),
      ranks_(group.size()),
      turns_((dataset->size() + kBatch * ranks_ - 1) / (kBatch * ranks_)),
      loader_(std::make_unique<loader::EvalLoader>(loader::EvalLoaderRequest{
          .dataset = std::make_shared<Share>(std::move(dataset), rank_, ranks_),
          .data = recipe.data,
          .targets = loader::TargetKind::kLabel,
          .batch_size = kBatch,
          .threads = threads})) {
  more_ = loader_->next(ahead_);
}

bool InTurns::next(loader::Batch& batch) {
  if (turn_ == turns_) return false;
  // The loader skips batches in which no image could be read.
  const bool mine = more_ && ahead_.sample_ids.front() / kBatch == turn_;
  ++turn_;
  batch = {};
  if (mine) {
    batch = std::move(ahead_);
    for (int64_t& sample : batch.sample_ids) {
      sample = (sample / kBatch * ranks_ + rank_) * kBatch + sample % kBatch;
    }
    ahead_ = {};
    more_ = loader_->next(ahead_);
  }
  if (turn_ == turns_) {  // unreadable images after the last batch
    batch.bad.insert(batch.bad.end(), ahead_.bad.begin(), ahead_.bad.end());
  }
  return true;
}

}  // namespace fcm::eval
