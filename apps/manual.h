// Manual pages, generated from the commands and flags.
#pragma once

#include <string>
#include <vector>

namespace fcm::apps {

struct ManualPage {
  std::string file;  // "fastconvmae-recipe-show.1"
  std::string text;  // man(7)
};

// One page for the program, and one per command.
std::vector<ManualPage> manual_pages();

}  // namespace fcm::apps
