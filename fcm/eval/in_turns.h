// A data set in its order, the ranks of a group taking batches in turns: what they make of a turn,
// put together by rank, is in the order of the set.
#pragma once

#include <cstdint>
#include <memory>

#include "fcm/dist/group.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/recipe/recipe.h"

namespace fcm::eval {

class InTurns {
 public:
  // Batches of kBatch pictures, fewer where some cannot be read.
  InTurns(std::shared_ptr<const loader::Dataset> dataset, const recipe::Recipe& recipe,
          int64_t threads, const dist::Group& group);

  // This rank's batch of the next turn, empty (batch.batch is 0) where it has none; sample_ids are
  // those of the set. false after the last turn, which is the same one for every rank. Its labels
  // are in batch.targets unless it is empty.
  bool next(loader::Batch& batch);

  static constexpr int64_t kBatch = 64;

 private:
  int64_t rank_, ranks_, turns_, turn_ = 0;
  std::unique_ptr<loader::EvalLoader> loader_;
  loader::Batch ahead_;  // the next one that has pictures
  bool more_ = false;
};

}  // namespace fcm::eval
