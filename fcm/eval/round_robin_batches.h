// Iterates over a data set in its order: in each turn, every rank of a group takes the next batch.
// The results of one turn, concatenated in rank order, are in the order of the set.
#pragma once

#include <cstdint>
#include <memory>

#include "fcm/dist/group.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/recipe/recipe.h"

namespace fcm::eval {

class RoundRobinBatches {
 public:
  // Batches have kBatch images, fewer at the end of the set or if some cannot be read.
  RoundRobinBatches(std::shared_ptr<const loader::Dataset> dataset, const recipe::Recipe& recipe,
                    int64_t threads, const dist::Group& group);

  // Reads this rank's batch of the next turn; batch.batch is 0 if the rank has none in this turn.
  // sample_ids are indices in the whole set; labels are in batch.targets. Returns false after the
  // last turn. Every rank has the same number of turns.
  bool next(loader::Batch& batch);

  static constexpr int64_t kBatch = 64;

 private:
  int64_t rank_, ranks_, rounds_, round_ = 0;
  std::unique_ptr<loader::EvalLoader> loader_;
  loader::Batch next_;  // the next batch with images
  bool more_ = false;
};

}  // namespace fcm::eval
