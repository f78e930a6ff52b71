// A fingerprint of a data set: hashes of the pixels of some images. Two sets can be compared
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
    uint32_t name = 0;     // hash of the image's file name without folders and ending
    uint64_t content = 0;  // hash of its size and pixels
    auto operator<=>(const Mark&) const = default;
  };
  int64_t looked_at = 0;           // number of images, unreadable ones included
  std::vector<Mark> marks;         // of readable images, sorted
  std::vector<std::string> names;  // by mark, UTF-8; empty if read from a checkpoint
};

uint64_t content_hash(const image::Image& image);

// Hashes the images whose names have the smallest hashes, so that samples of two large sets contain
// mostly the same of the images that both have. At most 4096 images, and none after 64 million
// pixels: about a second for JPEGs on one thread. Independent of `threads`.
ContentSample content_sample_of(const loader::Dataset& dataset, int64_t threads);

// For a checkpoint's state: the 1024 smallest marks, 24 hexadecimal digits each.
nlohmann::json to_json(const ContentSample& sample);
// Throws json::exception, or returns an empty sample, for JSON that to_json did not write.
ContentSample content_sample_from(const nlohmann::json& state);

// Images of `asked` that are also in `known`, under any name.
struct SharedImages {
  int64_t compared = 0;  // images of `asked` that were compared: all, or if `known` was sampled,
                         // those that would be in its sample
  int64_t shared = 0;
  std::string example;  // the first by name; empty without names
};
SharedImages shared_images(const ContentSample& known, int64_t known_images,
                           const ContentSample& asked);

// Images with equal names in two samples of one list.
struct ChangedImages {
  int64_t compared = 0;
  int64_t changed = 0;  // of these: with different pixels
};
ChangedImages changed_images(const ContentSample& before, const ContentSample& now);

}  // namespace fcm::tasks
