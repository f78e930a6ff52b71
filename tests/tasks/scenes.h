// Small data sets on disk: images with class maps, and images with objects.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>

#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"

namespace fcm::tests {

// Writes the first synthetic scenes, with the names and colours of their classes.
inline void write_scenes(const std::filesystem::path& folder, int64_t training = 8,
                         int64_t validation = 2) {
  nlohmann::json classes;
  for (const auto& [split, name, count] :
       {std::tuple{loader::Split::kTrain, "training", training},
        std::tuple{loader::Split::kVal, "validation", validation}}) {
    const auto drawn =
        loader::open_dataset("synthetic", split, {.wanted = loader::TargetKind::kMap});
    classes["names"] = drawn->map_classes().names;
    const std::filesystem::path images = folder / "images" / name,
                                maps = folder / "annotations" / name;
    std::filesystem::create_directories(images);
    std::filesystem::create_directories(maps);
    for (int64_t i = 0; i < count; ++i) {
      const std::string file = fmt::format("{:03}.png", i);
      const loader::ClassMap map = drawn->class_map(i);
      image::write_png(images / file, drawn->get(i, 3));
      image::write_png(maps / file, {map.rows, map.cols, 1, map.classes});
    }
  }
  classes["colours"] = {{120, 120, 120}, {200, 30, 30},  {30, 160, 60},
                        {40, 60, 200},   {230, 190, 20}, {150, 40, 180}};
  std::ofstream(folder / "classes.json") << classes;
}

// Writes the first synthetic images with objects, in COCO's folder layout.
inline void write_objects(const std::filesystem::path& folder, int64_t training = 6,
                          int64_t validation = 2) {
  std::filesystem::create_directories(folder / "annotations");
  for (const auto& [split, name, count] : {std::tuple{loader::Split::kTrain, "train", training},
                                           std::tuple{loader::Split::kVal, "val", validation}}) {
    const auto drawn =
        loader::open_dataset("synthetic", split, {.wanted = loader::TargetKind::kInstances});
    std::filesystem::create_directories(folder / name);
    nlohmann::json file = {{"images", nlohmann::json::array()},
                           {"annotations", nlohmann::json::array()},
                           {"categories", nlohmann::json::array()}};
    const loader::InstanceClasses& classes = drawn->instance_classes();
    for (size_t i = 0; i < classes.names.size(); ++i) {
      file["categories"].push_back({{"id", classes.ids[i]}, {"name", classes.names[i]}});
    }
    int64_t annotation = 0;
    for (int64_t i = 0; i < count; ++i) {
      const std::string image = fmt::format("{:03}.png", i);
      const loader::Instances labelled = drawn->instances(i);
      image::write_png(folder / name / image, drawn->get(i, 3));
      file["images"].push_back({{"id", labelled.image},
                                {"file_name", image},
                                {"width", labelled.cols},
                                {"height", labelled.rows}});
      for (const loader::Instance& one : labelled.instances) {
        const auto& [x0, y0, x1, y1] = one.box;
        file["annotations"].push_back(
            {{"id", ++annotation},
             {"image_id", labelled.image},
             {"category_id", classes.ids[static_cast<size_t>(one.class_number)]},
             {"bbox", {x0, y0, x1 - x0, y1 - y0}},
             {"area", one.area},
             {"iscrowd", 0},
             {"segmentation", one.outlines}});
      }
    }
    std::ofstream(folder / "annotations" / fmt::format("instances_{}.json", name)) << file;
  }
}

}  // namespace fcm::tests
