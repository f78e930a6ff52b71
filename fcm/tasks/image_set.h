// A description of the data set from which weights or figures come: which images, how many, of
// which classes. It is stored in checkpoints and results, and compared whenever weights meet data
// again (CONTRIBUTING.md, "How a number keeps its meaning").
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"
#include "fcm/tasks/content_sample.h"

namespace fcm::tasks {

// Members of a checkpoint's state (checkpoint::kAbout), and of results.
constexpr const char* kTrainedOn = "trained_on";        // the training set of the weights
constexpr const char* kPretrainedOn = "pretrained_on";  // the training set of the initial encoder
constexpr const char* kMeasuredOn = "measured_on";      // the set that figures are measured on
constexpr const char* kFittedOn = "fitted_on";          // only in results: the bank, or the probe's
                                                        // training set

// Member of a set in checkpoints; results leave it out, since it has thousands of letters.
constexpr const char* kContentSample = "content_sample";

struct ImageSet {
  std::string data;                  // as --data names it
  std::string split;                 // "train" or "val"
  int64_t images = 0;                // 0: unknown
  std::string list_hash;             // of image names (relative to the set) and labels, in order
  std::string sample_hash;           // one hash of the pixels of 8 images, spread over the list
  ContentSample sample;              // a hash for each of up to 4096 images
  std::string classes_hash;          // of the class names, in order; empty: no classes
  std::vector<std::string> classes;  // UTF-8; other bytes are written \xNN
  std::vector<int64_t> objects;      // number of objects of each class; empty: unknown, or none
  bool only_numbered = false;        // labels are numbers without class names
  std::vector<std::array<uint8_t, 3>> colours;  // of a map's classes, RGB; empty: not in the data
};

// Class names as checkpoints store them, with bytes that are not UTF-8 escaped.
std::vector<std::string> printable(const std::vector<std::string>& classes);

// Reads all names and the pixels of some images (content_sample.h). The hashes that are texts are
// XXH3-128; those of single images (ContentSample) are XXH3-64.
ImageSet describe_images(const loader::Dataset& dataset, const std::string& data,
                         loader::Split split, int64_t threads = 1);

// to_json: for a checkpoint's state. summary_of: for results, where "classes" is the number of
// classes.
nlohmann::json to_json(const ImageSet& set);
nlohmann::json summary_of(const ImageSet& set);

// The set that is stored in a state under one of the names above. nullopt: there is none, or it is
// not usable, as in checkpoints of earlier versions and other programs.
std::optional<ImageSet> stored_set(const nlohmann::json& state, const char* name);

// Whether two sets have the same number of images and the same sample_hash; names and locations may
// differ.
bool same_images(const ImageSet& a, const ImageSet& b);

// Text about two sets with equal lists but different pixels: "2 of 24 that were compared have
// different pixels". nullopt: no difference is known.
std::optional<std::string> other_pixels(const ImageSet& before, const ImageSet& now);

// "3 of 12 images that were compared (25.0 %, for example val/a/7.png)".
std::string as_text(const SharedImages& shared);

// Class names for a message, at most five.
std::string class_list(const std::vector<std::string>& classes);

// The first difference between two lists of classes, such as: class 0 was "a" and is "b". Empty if
// the lists are equal.
std::string first_difference(const std::vector<std::string>& before,
                             const std::vector<std::string>& now);

// The note for figures that were measured on `measured` with weights trained on `learned`, if the
// sets share images. It says that all images are the same, or how many of the compared images are,
// with an example. nullopt: the sets share no known image.
std::optional<std::string> note_on_overlap(const ImageSet& learned, const ImageSet& measured);

}  // namespace fcm::tasks
