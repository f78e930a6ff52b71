// Which answer of a classifier stands for which class of a data set: by name, not by place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::tasks {

struct ClassMatch {
  std::shared_ptr<const loader::Dataset> dataset;  // its labels are the classifier's answers
  std::vector<std::string> notes;                  // what has to be said about the figures
};

// `trained`: the names of the classifier's classes in the order of its answers, of which there are
// `answers`; empty where nothing tells them. Names in the same order: the set as it is. All of the
// set's names among the classifier's: matched by name, and said. A classifier or a set that only
// numbers its classes, and as many: in their order, and said. `data` and `classifier` name the two.
// Throws Error(kData) for everything else.
ClassMatch match_classes(const std::vector<std::string>& trained, int64_t answers,
                         const std::shared_ptr<const loader::Dataset>& dataset,
                         const std::string& data, const std::string& classifier);

}  // namespace fcm::tasks
