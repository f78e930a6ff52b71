// A fingerprint of a data set: hashes of the pixels of some images. It allows comparing two sets
// without opening both.
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
    uint32_t name = 0;     // hash of an image's file name without folders and ending
    uint64_t content = 0;  // hash of the image's size and pixels
    auto operator<=>(const Mark&) const = default;
  };
  int64_t sampled = 0;             // number of sampled images, unreadable ones included
  std::vector<Mark> marks;         // one per readable image, sorted
  std::vector<std::string> names;  // image name of each mark, UTF-8; empty if from a checkpoint
};

// Hash of an image's size and pixels.
uint64_t content_hash(const image::Image& image);

// Hashes the images whose names have the smallest hashes. Therefore, if two large sets share
// images, their samples contain mostly the same shared images. Stops after 4096 images or 64 Mi
// pixels, which takes about a second for JPEGs on one thread. The result does not depend on
// `threads`.
ContentSample content_sample_of(const loader::Dataset& dataset, int64_t threads);

// The sample for a checkpoint's state: the 1024 smallest marks, 24 hexadecimal digits each.
nlohmann::json to_json(const ContentSample& sample);
// JSON that to_json did not write gives json::exception, an empty sample, or meaningless marks.
ContentSample content_sample_from(const nlohmann::json& state);

// The images of `measured` that are also in `known`, under any name.
struct SharedImages {
  // Images of `measured` that were compared: all of them if `known` covers its whole set, else
  // those that are in `known` or whose name hash is in the range of `known`.
  int64_t compared = 0;
  int64_t shared = 0;   // compared images that are in `known`
  std::string example;  // the first shared image by name; empty if `measured` has no names
};
// `known_images`: the number of images of the set that `known` is a sample of.
SharedImages shared_images(const ContentSample& known, int64_t known_images,
                           const ContentSample& measured);

// Compares the pixels of images that have equal names in two samples of the same list of images.
struct ChangedImages {
  int64_t compared = 0;  // images with equal names
  int64_t changed = 0;   // compared images with different pixels
};
ChangedImages changed_images(const ContentSample& before, const ContentSample& now);

}  // namespace fcm::tasks
