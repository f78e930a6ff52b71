// A data set: images with random access, and their training targets.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/loader/remarks.h"
#include "fcm/loader/target.h"

namespace fcm::loader {

enum class Split { kTrain, kVal };

struct Sample {
  image::Image image;
  Target target;
};

// Names and colours of the classes in class maps, from the network's class 0 on. If the data use 0
// for unlabelled pixels (pipeline.reduce_zero_label), value k of a file is class k - 1.
struct MapClasses {
  std::vector<std::string> names;               // empty: unnamed
  std::vector<std::array<uint8_t, 3>> colours;  // RGB, one per name; empty: none given
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  // Decodes the i-th image to `channels` (1 or 3). Thread-safe. Throws Error(kData) that names the
  // image if it cannot be read.
  virtual image::Image get(int64_t index, int64_t channels) const = 0;
  // Decodes at least the box of the i-th image that `choose` selects; by default the whole image.
  virtual image::Section get_section(int64_t index, int64_t channels,
                                     const image::ChooseBox& choose) const {
    image::Image image = get(index, channels);
    const image::Box box = choose(image.rows, image.cols);
    return {std::move(image), box};
  }
  // The EXIF orientation stored with the i-th image, 1 (upright) to 8.
  virtual int orientation(int64_t /*index*/) const { return 1; }
  // Whether get() and get_section() apply the orientation.
  virtual bool applies_orientation() const { return false; }
  // The class number of the i-th image; -1: no label. Throws Error(kData) that names the image if
  // its label is damaged; the image itself may still be readable.
  virtual int64_t label(int64_t index) const = 0;
  // Whether this set has class maps; single images may lack theirs.
  virtual bool has_maps() const { return false; }
  // The class map of the i-th image, with the values of its file. Throws Error(kData) that names
  // the image if its map is missing or unreadable.
  virtual ClassMap class_map(int64_t index) const;
  virtual const MapClasses& map_classes() const;
  // Whether this set has object instances.
  virtual bool has_instances() const { return false; }
  // The objects of the i-th image; may be empty. Throws Error(kData) that names the image if this
  // set has no instances.
  virtual Instances instances(int64_t index) const;
  virtual ImageRecord image_record(int64_t index) const;  // throws as instances() does
  virtual const InstanceClasses& instance_classes() const;
  // The i-th image's target of the `wanted` kind; other targets are not read.
  Target target(int64_t index, TargetKind wanted) const {
    switch (wanted) {
      case TargetKind::kNone:
        break;
      case TargetKind::kLabel:
        return Label{label(index)};
      case TargetKind::kMap:
        return class_map(index);
      case TargetKind::kInstances:
        return instances(index);
    }
    return NoTarget{};
  }
  Sample sample(int64_t index, int64_t channels, TargetKind wanted) const {
    return {get(index, channels), target(index, wanted)};
  }
  virtual std::string name(int64_t index) const = 0;
  virtual const std::vector<std::string>& classes() const = 0;  // of labels; may be empty

  // What was skipped or assumed when the set was opened, to be reported to the user.
  const Remarks& remarks() const { return remarks_; }

 protected:
  Remarks remarks_;
};

// Options of open_dataset. For data on disk they do not change what the set contains.
struct OpenOptions {
  int64_t threads = 1;               // for listing folders and shards
  std::filesystem::path cache = {};  // folder for cached lists of large sets; empty: no cache
  // The kind of target that will be read; "synthetic" draws images that have it.
  TargetKind wanted = TargetKind::kNone;
};

// Opens the value of --data (docs/tour/02-loader.md lists the kinds): an image folder, folders of
// images and of their class maps, images with COCO annotations, a packed file, a file list (*.txt,
// *.csv, ...), tar shards, CIFAR binary, IDX (also .gz), "fashion-mnist", "synthetic". Throws
// Error(kData) that says what was looked for, where, and what was found instead. A faulty label is
// not an error here: it is counted in remarks() and thrown by label().
std::unique_ptr<Dataset> open_dataset(const std::string& data, Split split,
                                      const OpenOptions& options = {});

}  // namespace fcm::loader
