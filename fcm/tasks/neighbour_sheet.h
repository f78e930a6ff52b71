// Finds the nearest images of a data set by an encoder's features; the result is a sheet and a
// list.
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
  std::shared_ptr<const loader::Dataset> bank;  // with or without labels
  std::vector<NamedImage> queries;
  std::vector<std::string> query_classes;  // one per query; empty: unknown
  int64_t k = 5;
  int64_t threads = 1;
};

struct Neighbours {
  image::Image sheet;  // a row per query
  // {"images": size of the bank, "queries": [{"picture", "class", "neighbours": [{"picture",
  // "class", "similarity"}]}]}; "class" is null if unknown.
  nlohmann::json list;
};

// Finds the neighbours by cosine similarity of mean latents, as `knn` does (eval/knn.h). An image
// of the bank that has the query's name is skipped. Unreadable images are left out with a warning.
// Throws Error(kData) if no image of the bank is readable.
Neighbours find_neighbours(const TrainedModel& trained, const NeighbourRequest& request,
                           Reporter& reporter);

// Up to 8 evenly spaced images of a set, as queries; their classes are appended to `classes`.
// `dataset`: from with_optional_labels. Unreadable images are left out with a warning; throws
// Error(kData) if all are unreadable.
std::vector<NamedImage> some_images(const loader::Dataset& dataset, int64_t channels,
                                    std::vector<std::string>& classes, Reporter& reporter);

}  // namespace fcm::tasks
