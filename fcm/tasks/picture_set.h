// What weights and figures are about: which images, how many, of which classes. It goes into
// checkpoints and results, and is compared wherever the two meet again (CONTRIBUTING.md, "How a
// number keeps its meaning").
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
constexpr const char* kTrainedOn = "trained_on";  // what the weights have learned from
constexpr const char* kPretrainedOn =
    "pretrained_on";                                // what their encoder had learned from before
constexpr const char* kMeasuredOn = "measured_on";  // what a figure counts
constexpr const char* kFittedOn = "fitted_on";  // of results alone: what a probe or neighbours know

// Member of such a set in a checkpoint, not in a result: thousands of letters.
constexpr const char* kContentSample = "content_sample";

struct PictureSet {
  std::string data;          // as --data named it
  std::string split;         // "train" or "val"
  int64_t images = 0;        // 0: not known
  std::string list_hash;     // of names (below wherever the set lies) and classes, in their order
  std::string sample_hash;   // of the pixels of a few, from all of the list
  ContentSample sample;      // of more of them, one by one
  std::string classes_hash;  // of the names of the classes, in their order; empty: no classes
  std::vector<std::string> classes;  // UTF-8: other bytes are written \xNN
  bool only_numbered = false;        // the classes go by the numbers that labels are
  std::vector<std::array<uint8_t, 3>>
      colours;  // of a map's classes, RGB; empty: the data give none
};

// Names of classes as a checkpoint writes them.
std::vector<std::string> printable(const std::vector<std::string>& classes);

// Reads all names and some images (content_sample.h). Hashes are XXH3-128.
PictureSet describe_pictures(const loader::Dataset& dataset, const std::string& data,
                             loader::Split split, int64_t threads = 1);

// For a checkpoint's state; and for results, where "classes" is their number.
nlohmann::json to_json(const PictureSet& set);
nlohmann::json summary_of(const PictureSet& set);

// What stands in a state under one of the names above. nullopt: nothing that could be used, as in
// checkpoints of earlier versions and other programs.
std::optional<PictureSet> stored_set(const nlohmann::json& state, const char* name);

// Whether two sets are the same images, by number and sample: whatever they are called, and
// wherever they lie.
bool same_pictures(const PictureSet& a, const PictureSet& b);

// What differs between two sets of one list whose pixels are not the same: "2 of 24 that were
// compared have other pixels". nullopt: nothing that is known.
std::optional<std::string> other_pixels(const PictureSet& before, const PictureSet& now);

// "3 of 12 images that were compared (25.0 %, for example val/a/7.png)".
std::string as_text(const SharedPictures& shared);

// The names of classes for a message, the first few of many.
std::string class_list(const std::vector<std::string>& classes);

// The first place where two lists of classes differ, as in: class 0 was "a" and is "b". Empty: they
// are equal.
std::string first_difference(const std::vector<std::string>& before,
                             const std::vector<std::string>& now);

// What has to be said where figures were counted on `measured` by what had learned from `learned`;
// nullopt: nothing. Where all are the same, or some of those that were compared: how many, their
// share, and one of them.
std::optional<std::string> note_on_overlap(const PictureSet& learned, const PictureSet& measured);

}  // namespace fcm::tasks
