// Which answer of a classifier stands for which class of a data set: by name, not by place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/loader/dataset.h"

namespace fcm::tasks {

struct ClassMatch {
  std::shared_ptr<const loader::Dataset> dataset;  // its labels are the classifier's answers
  std::vector<std::string> notes;                  // what has to be said about the figures
};

// The names of a classifier's classes, in the order of its answers.
struct TrainedClasses {
  std::vector<std::string> names;  // empty where nothing tells them
  bool only_numbered = false;      // the labels it learned from were numbers without names
};

// The classifier has `answers` answers. Names in the same order: the set as it is. All of the set's
// names among the classifier's: matched by name, and said. A classifier or a set whose labels were
// numbers without names (in a list, in shards), and as many: in their order, and said. Folders that
// are called by numbers have names. `data` and `classifier` name the two. Throws Error(kData) for
// everything else.
ClassMatch match_classes(const TrainedClasses& trained, int64_t answers,
                         const std::shared_ptr<const loader::Dataset>& dataset,
                         const std::string& data, const std::string& classifier);

// Why a head of `rows` classes in a checkpoint cannot be that of `wanted` ones, whose names are
// `classes` (empty: as many will do); empty: it can. One that does not say for which classes it is
// is taken with a warning.
std::string why_other_head(const checkpoint::Checkpoint& checkpoint, int64_t rows, int64_t wanted,
                           const std::vector<std::string>& classes, Reporter& reporter);

}  // namespace fcm::tasks
