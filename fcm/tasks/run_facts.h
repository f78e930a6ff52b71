// What a run is about (picture_set.h), from launch to launch.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/tasks/picture_set.h"

namespace fcm::tasks {

struct RunFacts {
  PictureSet trained_on;
  std::optional<PictureSet> measured_on;    // the images that figures are counted on
  std::optional<PictureSet> pretrained_on;  // what the weights it starts from had learned from
  // The checkpoint it starts from, "" for none; nullopt: it was not asked for one.
  std::optional<std::string> started_from;
  nlohmann::json continued;     // state of another run's checkpoint that this one goes on from
  bool learns_classes = false;  // a classifier, whose answers are class numbers
};

// Members of every checkpoint's state: kTrainedOn, with "earlier", the sets before this one and the
// step at which each ended; kMeasuredOn, kPretrainedOn and "started_from". `run`: a run that goes
// on, or empty. Where its checkpoints have other classes, and it learns them, Error(kData); another
// number or list of images, and other weights to start from, are said.
nlohmann::json about_of(const RunFacts& facts, const std::filesystem::path& run,
                        Reporter& reporter);

// For started_from: a name that still holds in another folder.
std::string absolute_path(const std::filesystem::path& path);

// What has to be said of figures that such a run gives.
std::vector<std::string> notes_about(const nlohmann::json& about);

// What a measuring command says of its figures: the sets under their names, and `notes` with those
// on images that the weights have learned from, which are warned of.
nlohmann::json measured_facts(const PictureSet& measured,
                              const std::optional<PictureSet>& trained_on,
                              const std::optional<PictureSet>& pretrained_on,
                              std::vector<std::string> notes, Reporter& reporter);

// Puts the sets of a checkpoint's state, without names, and those notes into a result. Notes that
// are there stay.
void put_meaning(nlohmann::json& result, const nlohmann::json& about);
void put_notes(nlohmann::json& result, const std::vector<std::string>& notes);

}  // namespace fcm::tasks
