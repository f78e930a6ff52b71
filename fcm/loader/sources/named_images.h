// A data set with one file per image.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fcm/loader/sources/encoded.h"
#include "fcm/loader/sources/joined_names.h"
#include "fcm/loader/sources/labels.h"

namespace fcm::loader {

struct ImageNames {
  JoinedNames names;  // paths, relative to a folder or absolute
  Labels labels;      // one for each name
  Remarks remarks;
};

class NamedImages final : public EncodedDataset {
 public:
  NamedImages(std::filesystem::path folder, ImageNames images);

  int64_t size() const override;
  int64_t label(int64_t index) const override;
  const std::vector<std::string>& classes() const override;
  std::string name(int64_t index) const override;  // the path
  std::string read(int64_t index) const override;

 private:
  std::filesystem::path folder_;
  ImageNames images_;
};

}  // namespace fcm::loader
