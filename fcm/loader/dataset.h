// Pictures and what they teach: how many there are, and what the i-th is.
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
  image::Image picture;
  Target target;
};

// What the numbers of maps stand for, from class 0 of a network on: where data count unlabelled
// pixels as 0 (pipeline.reduce_zero_label), a file's number k is class k - 1.
struct MapClasses {
  std::vector<std::string> names;               // empty: the data name none
  std::vector<std::array<uint8_t, 3>> colours;  // RGB, one a name; empty: the data give none
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  // The i-th picture, with the asked number of channels. Safe to call from several threads.
  // Throws Error(kData) that names the picture where it cannot be read.
  virtual image::Image get(int64_t index, int64_t channels) const = 0;
  // At least the pixels that `choose` wants of the i-th picture; here: all of it.
  virtual image::Section get_section(int64_t index, int64_t channels,
                                     const image::ChooseBox& choose) const {
    image::Image picture = get(index, channels);
    const image::Box box = choose(picture.rows, picture.cols);
    return {std::move(picture), box};
  }
  // The number of the i-th picture's class; -1: it has none. Throws Error(kData) that names the
  // picture where its label is damaged, which does not concern the picture itself.
  virtual int64_t label(int64_t index) const = 0;
  // Whether pictures of this set have maps of classes; single ones may lack theirs.
  virtual bool has_maps() const { return false; }
  // The numbers of the i-th picture's pixels as its file has them. Throws Error(kData) that names
  // the picture where it has no map, or none that can be read.
  virtual ClassMap class_map(int64_t index) const;
  virtual const MapClasses& map_classes() const;
  // Whether pictures of this set have their objects told apart.
  virtual bool has_instances() const { return false; }
  // The objects of the i-th picture; there may be none. Throws Error(kData) that names the picture
  // where these data have none.
  virtual Instances instances(int64_t index) const;
  virtual PictureRecord picture_record(int64_t index) const;  // throws as instances
  virtual const InstanceClasses& instance_classes() const;
  // The target of that kind; what is of another kind is not looked at.
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
  virtual const std::vector<std::string>& classes() const = 0;  // of labels; empty: there are none

  // What opening the set passed over or took for granted; to be told to whoever asked for it.
  const Remarks& remarks() const { return remarks_; }

 protected:
  Remarks remarks_;
};

// How a set is opened; what a set on disk holds does not depend on this.
struct OpenOptions {
  int64_t threads = 1;               // that list folders and shards
  std::filesystem::path cache = {};  // where lists of large sets are kept; empty: nowhere
  // What is going to be asked for: "synthetic" draws pictures that have it.
  TargetKind wanted = TargetKind::kNone;
};

// Opens what --data names (docs/tour/02-loader.md lists the kinds): an image folder, folders of
// pictures and of their maps, pictures with COCO's annotations, a packed file, a file list (*.txt),
// tar shards, CIFAR binary, IDX (also .gz), "fashion-mnist", "synthetic".
// Throws Error(kData) that says what was looked for, where, and what was found instead. A fault of
// a label is none of opening: it is counted in remarks() and told by label().
std::unique_ptr<Dataset> open_dataset(const std::string& data, Split split,
                                      const OpenOptions& options = {});

}  // namespace fcm::loader
