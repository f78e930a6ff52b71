#include "fcm/loader/dataset.h"

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::loader {

ClassMap Dataset::class_map(int64_t index) const {
  fail(ExitCode::kData,
       "{} has no class map, nor has any image of this data set; segmentation needs a folder "
       "images/ with the images and one called annotations/ with maps of the same names as PNG",
       name(index));
}

const MapClasses& Dataset::map_classes() const {
  static const MapClasses none;
  return none;
}

Instances Dataset::instances(int64_t index) const {
  fail(ExitCode::kData,
       "there are no annotated objects in {}, nor in any image of this data set; detection needs a "
       "folder in COCO's layout: annotations/instances_train2017.json and train2017/",
       name(index));
}

ImageRecord Dataset::image_record(int64_t index) const {
  const Instances whole = instances(index);
  const auto crowds = std::ranges::count_if(whole.instances, &Instance::crowd);
  return {whole.image, whole.rows, whole.cols, std::ssize(whole.instances) - crowds};
}

const InstanceClasses& Dataset::instance_classes() const {
  static const InstanceClasses none;
  return none;
}

}  // namespace fcm::loader
