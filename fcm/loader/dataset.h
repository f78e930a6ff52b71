// Labelled pictures behind two questions: how many, and give me the i-th.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fcm/image/image.h"

namespace fcm::loader {

enum class Split { kTrain, kVal };

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
  virtual int64_t label(int64_t index) const = 0;  // -1: none
  virtual std::string name(int64_t index) const = 0;
  virtual const std::vector<std::string>& classes() const = 0;  // empty: no labels
};

// How a set is opened; what it holds does not depend on this.
struct OpenOptions {
  int64_t threads = 1;          // that list folders and shards
  std::filesystem::path cache;  // where lists of large sets are kept; empty: nowhere
};

// Opens what --data names (docs/tour/02-loader.md lists the kinds): an image folder, a packed
// file, a file list (*.txt), tar shards, CIFAR binary, IDX (also .gz), "fashion-mnist",
// "synthetic". Throws Error(kData) that says what was looked for and where.
std::unique_ptr<Dataset> open_dataset(const std::string& data, Split split,
                                      const OpenOptions& options = {});

}  // namespace fcm::loader
