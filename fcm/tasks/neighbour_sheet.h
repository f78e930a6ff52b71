// The nearest images of a set, by an encoder's features, as a sheet and as a list.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/encoder_sheets.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {

struct NeighbourRequest {
  std::shared_ptr<const loader::Dataset> bank;  // the set, with labels or without
  std::vector<NamedPicture> queries;
  std::vector<std::string> query_classes;  // one a query; empty: not known
  int64_t k = 5;
  int64_t threads = 1;
};

struct Neighbours {
  image::Image sheet;  // a row a query
  // {"images": size of the bank, "queries": [{"picture", "class", "neighbours": [{"picture",
  // "class", "similarity"}]}]}; "class" is null where it is not known.
  nlohmann::json list;
};

// By the cosine of mean tokens, as in `knn` (eval/knn.h). An image of the bank with the name of
// the query is not its neighbour. Images that cannot be read are left out with a warning. Throws
// Error(kData) where none can be read.
Neighbours find_neighbours(const TrainedModel& trained, const NeighbourRequest& request,
                           Reporter& reporter);

// Some images of a set, evenly spaced, to ask about; their classes go to `classes`. `dataset`:
// with_optional_labels. Those that cannot be read are left out with a warning; Error(kData) where
// that is all of them.
std::vector<NamedPicture> some_pictures(const loader::Dataset& dataset, int64_t channels,
                                        std::vector<std::string>& classes, Reporter& reporter);

}  // namespace fcm::tasks
