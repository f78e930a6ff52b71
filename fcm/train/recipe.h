// Everything that defines a run, except where it runs (data, output, device, threads are flags).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fcm/decoder/options.h"
#include "fcm/encoder/options.h"
#include "fcm/loader/options.h"
#include "fcm/masks/options.h"
#include "fcm/models/options.h"
#include "fcm/optim/options.h"
#include "fcm/targets/options.h"
#include "fcm/train/options.h"

namespace fcm::train {

// What the recipe stands for: a row of the published results table, or nothing of the kind.
struct RowOptions {
  std::string name;
  std::string about;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("name", name, config::OneOf{}, "name of the recipe");
    visitor("about", about, config::OneOf{}, "what it is and what to expect of it");
  }
};

struct Recipe {
  RowOptions row;
  models::ModelOptions model;
  encoder::EncoderOptions encoder;
  decoder::DecoderOptions decoder;
  masks::MaskOptions masks;
  targets::TargetOptions targets;
  loader::DataOptions data;
  optim::OptimOptions optim;
  RunOptions run;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor.section("row", row);
    visitor.section("model", model);
    visitor.section("encoder", encoder);
    visitor.section("decoder", decoder);
    visitor.section("masks", masks);
    visitor.section("targets", targets);
    visitor.section("data", data);
    visitor.section("optim", optim);
    visitor.section("run", run);
  }
};

// A complete recipe from TOML, with "section.key=value" overrides on top, in order. Setting
// encoder.size to a name, or model.kind where the size has one, also sets the keys that the name
// stands for. Only single values are checked: check() sees to the rest. Throws Error(kUsage) that
// says where, which key and which value.
Recipe read_recipe(std::string_view toml, const std::string& file_name,
                   const std::vector<std::string>& overrides = {});

// The same for what a run or a checkpoint carries: an earlier version may have written it, so keys
// that it lacks have their usual values, which are what was done before they existed.
Recipe read_stored_recipe(std::string_view toml, const std::string& source,
                          const std::vector<std::string>& overrides = {});

// TOML that reads back to the same recipe; with the help of every key as comments if asked.
std::string print_recipe(const Recipe& recipe, bool with_help = false);

// 16 hexadecimal digits, equal for equal recipes.
std::string recipe_hash(const Recipe& recipe);

// Refuses values out of range and combinations that cannot work, each with its keys and values:
// Error(kUsage), one line a fault.
void check(const Recipe& recipe);

}  // namespace fcm::train
