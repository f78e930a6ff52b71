#pragma once

#include <algorithm>
#include <string>

namespace fcm::loader {

// Whether files whose names end so are listed as pictures, in any case: ".JPEG". What a listed file
// holds is told by its content.
inline bool is_picture_ending(std::string ending) {
  std::transform(ending.begin(), ending.end(), ending.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png" || ending == ".webp";
}

}  // namespace fcm::loader
