#include "fcm/tasks/convert_onnx.h"

#include <fmt/ranges.h>

#include <optional>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/json_text.h"
#include "fcm/formats/onnx_file.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/onnx/models.h"
#include "fcm/tasks/segmentation_sheets.h"
#include "fcm/tasks/trained_classifier.h"
#include "fcm/tasks/trained_detector.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/tasks/trained_segmenter.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using formats::OnnxModel;
using nlohmann::json;

struct Export {
  OnnxModel model;
  recipe::Recipe recipe;
  std::vector<std::string> classes;  // their names, by index
};

bool is_classifier(const Checkpoint& checkpoint) {
  if (const auto text = checkpoint.state.find("recipe"); text != checkpoint.state.end()) {
    return recipe::recipe_for_task_of(text->get<std::string>(), checkpoint.path.string())
        .is<recipe::Classify>();
  }
  const auto found = interop::recognise(checkpoint.model.tensors);
  return found && found->classes > 0;
}

std::string default_output(const Checkpoint& checkpoint) {
  switch (interop::downstream_of(checkpoint)) {
    case interop::Downstream::kSegmenter:
      return "map";
    case interop::Downstream::kDetector:
      return "detections";
    case interop::Downstream::kNone:
      break;
  }
  return is_classifier(checkpoint) ? "classes" : "features";
}

// The recipe overrides of the request.
std::vector<std::string> settings_of(const ConvertRequest& request) {
  std::vector<std::string> set = request.checkpoint.set;
  if (request.size > 0) set.push_back(fmt::format("data.image_size=[{0},{0}]", request.size));
  return set;
}

interop::onnx::Pixels pixels_of(const recipe::Recipe& recipe) {
  return {recipe.data.mean, recipe.data.stddev};
}

std::vector<std::string> names_of(const std::optional<ImageSet>& trained_on, int64_t classes) {
  return class_names(trained_on ? trained_on->classes : std::vector<std::string>{}, classes);
}

// Builds the graph for `what`. The graph shares the ownership of the weights, so the model that it
// was built from can be destroyed.
Export export_of(const std::string& what, Checkpoint checkpoint, const ConvertRequest& request,
                 Reporter& reporter) {
  const std::vector<std::string> set = settings_of(request);
  if (what == "features") {
    checkpoint = {};  // frees it, because load_trained_model loads it again
    const TrainedModel trained =
        load_trained_model({request.checkpoint.path, set, {}}, ModelUse::kFeatures, reporter);
    return {interop::onnx::features_graph(*trained.model, pixels_of(trained.recipe)),
            trained.recipe,
            {}};
  }
  if (what == "classes") {
    const TrainedClassifier trained = load_classifier(std::move(checkpoint), set, reporter);
    const interop::onnx::Pixels pixels = pixels_of(trained.recipe);
    return {trained.probe ? interop::onnx::classes_graph(trained.probe->encoder(),
                                                         trained.probe->head_parameters(),
                                                         trained.classes, pixels)
                          : interop::onnx::classes_graph(*trained.model, pixels),
            trained.recipe, names_of(trained.trained_on, trained.classes)};
  }
  if (what == "map") {
    const TrainedSegmenter trained = load_segmenter(std::move(checkpoint), set, reporter);
    return {interop::onnx::map_graph(*trained.model, pixels_of(trained.recipe)), trained.recipe,
            names_of(trained.trained_on, trained.classes())};
  }
  const TrainedDetector trained = load_detector(std::move(checkpoint), set, reporter);
  return {interop::onnx::trunk_graph(*trained.model, pixels_of(trained.recipe)), trained.recipe,
          names_of(trained.trained_on, trained.classes())};
}

std::string description_of(const std::string& what, const recipe::Recipe& recipe) {
  const loader::DataOptions& data = recipe.data;
  const std::string input =
      fmt::format("pixels: {} images of {} x {} pixels, values from 0 to 1, not normalised",
                  data.channels == 1 ? "grey" : "RGB", data.image_size[0], data.image_size[1]);
  if (what == "features") return input + ". Features of an encoder";
  if (what == "classes") return input + ". Logits of a classifier";
  if (what == "map")
    return input + ". Logits of a segmenter, and the likeliest class of each pixel";
  return input + ". Feature maps of a detector's backbone and pyramid, without proposals";
}

// Adds the metadata that a user of the graph needs.
void describe(Export& made, const std::string& what, int64_t step, const ConvertRequest& request) {
  const recipe::Recipe& recipe = made.recipe;
  OnnxModel& model = made.model;
  model.producer = "fastconvmae";
  model.version = request.version;
  model.name = what;
  model.description = description_of(what, recipe);
  model.metadata = {{"revision", request.revision},
                    {"recipe", recipe.row.name},
                    {"step", fmt::to_string(step)},
                    {"encoder", recipe.model.kind},
                    {"what", what},
                    {"image_size", json(recipe.data.image_size).dump()},
                    {"channels", recipe.data.channels == 1 ? "grey" : "RGB"},
                    {"mean", json(recipe.data.mean).dump()},
                    {"std", json(recipe.data.stddev).dump()},
                    {"interpolation", recipe.data.interpolation}};
  if (!made.classes.empty()) model.metadata["classes"] = formats::json_text(json(made.classes));
  if (what == "classes") {
    model.metadata["eval_crop"] = fmt::to_string(recipe.classify().classifier.eval_crop);
  }
}

// A large model is two files: `out`, and a data file with the weights. Throws Error(kUsage) if the
// data file exists without `out`: it does not say which program wrote it, so without `out` it may
// be a foreign file. Throws also if the data file is a link or its temporary file exists.
void refuse_foreign_data(const fs::path& out) {
  const fs::path data = formats::onnx_data_path(out);
  if (!is_there(data, ExitCode::kUsage)) return refuse_link_or_temporary(data);
  if (!is_there(out, ExitCode::kUsage)) {
    fail(ExitCode::kUsage,
         "{} exists, but the weights of {} go there, because it is too large for one file; choose "
         "another name",
         data.string(), out.string());
  }
  refuse_link_or_temporary(data);
}

// Shapes like "N x 3 x 224 x 224", by the name of the value.
json shapes_of(const std::vector<formats::OnnxValue>& values) {
  json shapes = json::object();
  for (const formats::OnnxValue& value : values) {
    std::vector<std::string> sizes;
    for (const int64_t size : value.shape) {
      sizes.push_back(size == formats::kAnyBatch ? "N" : fmt::to_string(size));
    }
    shapes[value.name] = fmt::to_string(fmt::join(sizes, " x "));
  }
  return shapes;
}

}  // namespace

void refuse_onnx_options(const ConvertRequest& request) {
  if (!request.what.empty()) {
    fail(ExitCode::kUsage, "--what {} is only for --to onnx; leave it out", request.what);
  }
  if (request.size > 0) {
    fail(ExitCode::kUsage, "--size {} is only for --to onnx; leave it out", request.size);
  }
}

json convert_to_onnx(const ConvertRequest& request, Reporter& reporter) {
  Checkpoint checkpoint =
      interop::load_any(request.checkpoint.path, false, reporter, request.threads);
  const std::string what = request.what.empty() ? default_output(checkpoint) : request.what;
  const std::string format = checkpoint.format;
  const int64_t step = checkpoint.step;
  Export made = export_of(what, std::move(checkpoint), request, reporter);
  describe(made, what, step, request);
  const OnnxModel& model = made.model;
  const bool in_two = formats::needs_onnx_data(model);
  if (in_two) refuse_foreign_data(request.out);
  formats::write_onnx(request.out, model);
  json result = {{"from", format},
                 {"to", "onnx"},
                 {"what", what},
                 {"tensors", model.initializers.size()},
                 {"nodes", model.nodes.size()},
                 {"inputs", shapes_of(model.inputs)},
                 {"outputs", shapes_of(model.outputs)},
                 {"out", request.out.string()}};
  if (in_two) result["data"] = formats::onnx_data_path(request.out).string();
  return result;
}

}  // namespace fcm::tasks
