// Which images a set holds, told by the pixels of some of them, so that two sets can be compared
// that are never open together.
#pragma once

#include <compare>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::tasks {

struct ContentSample {
  struct Mark {
    uint32_t name = 0;     // hash of the image's name without folders and ending
    uint64_t content = 0;  // hash of its size and pixels
    auto operator<=>(const Mark&) const = default;
  };
  int64_t looked_at = 0;           // images, those that cannot be read among them
  std::vector<Mark> marks;         // sorted; of those that can
  std::vector<std::string> names;  // of the marks, UTF-8; empty where they come from a checkpoint
};

uint64_t content_hash(const image::Image& picture);

// Looks at the images whose names have the smallest hashes, so that an image that lies in two
// large sets under one name is looked at in both or in neither. At most 4096 images, and none
// after 64 million pixels: a second for JPEGs on one thread. The same whatever `threads` is.
ContentSample content_sample_of(const loader::Dataset& dataset, int64_t threads);

// For a checkpoint's state: the 1024 smallest marks, 24 letters each.
nlohmann::json to_json(const ContentSample& sample);
// Throws json::exception, or gives an empty sample, for what to_json did not write.
ContentSample content_sample_from(const nlohmann::json& state);

// Images of `asked` that `known` holds too, under whatever name.
struct SharedPictures {
  int64_t compared = 0;  // of `asked`: all that were looked at, or where only some of `known` were,
                         // those that would have been among these
  int64_t shared = 0;
  std::string example;  // the first by name; "" where there are no names
};
SharedPictures shared_pictures(const ContentSample& known, int64_t known_images,
                               const ContentSample& asked);

// Images of two samples of one list whose names are the same.
struct ChangedPictures {
  int64_t compared = 0;
  int64_t changed = 0;  // those whose pixels differ
};
ChangedPictures changed_pictures(const ContentSample& before, const ContentSample& now);

}  // namespace fcm::tasks
