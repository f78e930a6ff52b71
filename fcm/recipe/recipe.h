// Everything that defines a run, but nothing about where it runs: data, output, device and threads
// are flags.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fcm/decoder/options.h"
#include "fcm/encoder/options.h"
#include "fcm/loader/options.h"
#include "fcm/masks/options.h"
#include "fcm/models/options.h"
#include "fcm/optim/options.h"
#include "fcm/recipe/classifier_section.h"
#include "fcm/recipe/debug_options.h"
#include "fcm/recipe/detector_section.h"
#include "fcm/recipe/run_options.h"
#include "fcm/recipe/segmenter_section.h"
#include "fcm/targets/options.h"

namespace fcm::recipe {

// Name and description of the recipe; often a row of the published results table.
struct RowOptions {
  std::string name;
  std::string about;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("name", name, config::OneOf{}, "name of the recipe");
    visitor("about", about, config::OneOf{}, "what the recipe trains and what to expect");
  }
};

// The tasks, each with the sections that it adds to those of every recipe.
struct Pretrain {
  decoder::DecoderOptions decoder;
  masks::MaskOptions masks;
  targets::TargetOptions targets;
};
struct Classify {
  ClassifierSection classifier;
  loader::AugmentOptions augment;
};
struct Segment {
  SegmenterSection segmenter;
  loader::PipelineOptions pipeline;
};
struct Detect {
  DetectorSection detector;
  loader::JitterOptions jitter;
};

struct Recipe {
  RowOptions row;
  models::ModelOptions model;
  encoder::EncoderOptions encoder;
  std::variant<Pretrain, Classify, Segment, Detect> task;
  loader::DataOptions data;
  optim::OptimOptions optim;
  RunOptions run;
  DebugOptions debug;

  template <class Task>
  bool is() const {
    return std::holds_alternative<Task>(task);
  }
  // The sections of each task; the recipe must be of that task.
  Pretrain& pretrain() { return std::get<Pretrain>(task); }
  const Pretrain& pretrain() const { return std::get<Pretrain>(task); }
  Classify& classify() { return std::get<Classify>(task); }
  const Classify& classify() const { return std::get<Classify>(task); }
  Segment& segment() { return std::get<Segment>(task); }
  const Segment& segment() const { return std::get<Segment>(task); }
  Detect& detect() { return std::get<Detect>(task); }
  const Detect& detect() const { return std::get<Detect>(task); }

  // Sections in the order in which recipes are written.
  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor.section("row", row);
    visitor.section("model", model);
    visitor.section("encoder", encoder);
    if (is<Pretrain>()) {
      visitor.section("decoder", pretrain().decoder);
      visitor.section("masks", pretrain().masks);
      visitor.section("targets", pretrain().targets);
    }
    if (is<Classify>()) visitor.section("classifier", classify().classifier);
    if (is<Segment>()) visitor.section("segmenter", segment().segmenter);
    if (is<Detect>()) visitor.section("detector", detect().detector);
    visitor.section("data", data);
    if (is<Classify>()) visitor.section("augment", classify().augment);
    if (is<Segment>()) visitor.section("pipeline", segment().pipeline);
    if (is<Detect>()) visitor.section("jitter", detect().jitter);
    visitor.section("optim", optim);
    visitor.section("run", run);
    visitor.section("debug", debug);
  }
};

// A recipe of default values. The sections of the text determine its task ([classifier]: Classify,
// [segmenter]: Segment, [detector]: Detect, else Pretrain).
Recipe recipe_for_task_of(std::string_view toml, const std::string& file_name);

// The section that identifies the recipe's task, such as "[classifier]"; "" for pretraining.
const char* section_of_task(const Recipe& recipe);

// Reads a complete recipe from TOML and applies the "section.key=value" overrides in order. An
// override of encoder.size with a named size, or of model.kind if the size is named, also sets the
// keys that the named size defines. Each value is checked; check() checks combinations. Throws
// Error(kUsage) that names key and value, and file and line or the override.
Recipe read_recipe(std::string_view toml, const std::string& file_name,
                   const std::vector<std::string>& overrides = {});

// The same for a recipe stored in a run folder or a checkpoint. An earlier version may have written
// it, so missing keys take their defaults, which reproduce the behaviour before the key existed.
Recipe read_stored_recipe(std::string_view toml, const std::string& source,
                          const std::vector<std::string>& overrides = {});

// TOML that reads back to the same recipe; `with_help` adds the help of every key as comments.
std::string print_recipe(const Recipe& recipe, bool with_help = false);

// 16 hexadecimal digits, equal for equal recipes.
std::string recipe_hash(const Recipe& recipe);

// A pretraining recipe with this recipe's encoder, data and optimizer, and with the whole image as
// its only view. A pretraining recipe is returned unchanged.
Recipe pretraining_of(const Recipe& recipe);

}  // namespace fcm::recipe
