// Iterates over a data set in its order, the ranks of a group taking batches in turns. Results of
// one turn, concatenated by rank, are in the order of the set.
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
  // Batches of kBatch images, fewer if some cannot be read.
  RoundRobinBatches(std::shared_ptr<const loader::Dataset> dataset, const recipe::Recipe& recipe,
                    int64_t threads, const dist::Group& group);

  // This rank's batch of the next turn, empty (batch.batch is 0) if it has none; sample_ids are
  // those of the whole set. Labels are in batch.targets unless it is empty. False after the last
  // turn, which is the same for every rank.
  bool next(loader::Batch& batch);

  static constexpr int64_t kBatch = 64;

 private:
  int64_t rank_, ranks_, rounds_, round_ = 0;
  std::unique_ptr<loader::EvalLoader> loader_;
  loader::Batch next_;  // the next batch with images
  bool more_ = false;
};

}  // namespace fcm::eval
