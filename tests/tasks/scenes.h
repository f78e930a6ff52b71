// A small set of pictures with maps of classes, as it lies on a disk.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>

#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"

namespace fcm::tests {

// The first of the drawn scenes, with names and colours of their classes.
inline void write_scenes(const std::filesystem::path& folder, int64_t training = 8,
                         int64_t validation = 2) {
  nlohmann::json classes;
  for (const auto& [split, name, count] :
       {std::tuple{loader::Split::kTrain, "training", training},
        std::tuple{loader::Split::kVal, "validation", validation}}) {
    const auto drawn =
        loader::open_dataset("synthetic", split, {.wanted = loader::TargetKind::kMap});
    classes["names"] = drawn->map_classes().names;
    const std::filesystem::path pictures = folder / "images" / name,
                                maps = folder / "annotations" / name;
    std::filesystem::create_directories(pictures);
    std::filesystem::create_directories(maps);
    for (int64_t i = 0; i < count; ++i) {
      const std::string file = fmt::format("{:03}.png", i);
      const loader::ClassMap map = drawn->class_map(i);
      image::write_png(pictures / file, drawn->get(i, 3));
      image::write_png(maps / file, {map.rows, map.cols, 1, map.classes});
    }
  }
  classes["colours"] = {{120, 120, 120}, {200, 30, 30},  {30, 160, 60},
                        {40, 60, 200},   {230, 190, 20}, {150, 40, 180}};
  std::ofstream(folder / "classes.json") << classes;
}

}  // namespace fcm::tests
