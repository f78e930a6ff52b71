// A small recipe that has keys of every type.
#pragma once

#include <string>
#include <vector>

#include "fcm/config/recipe_io.h"

namespace fcm::config {

struct MaskPart {
  double ratio = 0.75;
  CountOrAll views;
  bool tied = false;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("ratio", ratio, Range{0, 0.99}, "share hidden");
    visitor("views", views, Range{1, 16}, "how many");
    visitor("tied", tied, "one for all");
  }
};

struct NetPart {
  std::string name;
  std::string size = "base";
  int64_t heads = 12;
  std::vector<int64_t> dims{1, 2, 3};
  std::vector<double> mean{0.5};

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("name", name, OneOf{}, "any text");
    visitor("size", size, OneOf{{"base", "large"}}, "named size");
    visitor("heads", heads, Range{1, 256}, "attention heads");
    visitor("dims", dims, Range{1, 1024, 3}, "widths");
    visitor("mean", mean, Range{}, "per channel");
  }
};

struct Example {
  MaskPart masks;
  NetPart net;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor.section("masks", masks);
    visitor.section("net", net);
  }
};

// A complete, valid recipe; tests replace one of its lines.
inline const char* const kGood =
    "[masks]\n"
    "ratio = 0.5\n"
    "views = \"all\"\n"
    "tied = true\n"
    "\n"
    "[net]\n"
    "name = \"tiny\"\n"
    "size = \"large\"\n"
    "heads = 4\n"
    "dims = [8, 16, 32]\n"
    "mean = [0.1, 1, 2e-3]\n";

}  // namespace fcm::config
