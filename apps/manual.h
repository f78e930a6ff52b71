// Pages of the manual, made from the commands and flags themselves.
#pragma once

#include <string>
#include <vector>

namespace fcm::apps {

struct ManualPage {
  std::string file;  // "fastconvmae-recipe-show.1"
  std::string text;  // man(7)
};

// One of the program, one of each command.
std::vector<ManualPage> manual_pages();

}  // namespace fcm::apps
