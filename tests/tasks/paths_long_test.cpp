// Every cell of the table kind of run x command x form of checkpoint. A cell either works and gives
// the same result as the run folder, or ends as path_outcomes.h and docs/tour/10-checkpoint.md say.
// A new kind of run, command or form is one line.
#include <algorithm>
#include <cctype>

#include "fcm/base/file.h"
#include "fcm/formats/safetensors.h"
#include "tests/support/onnx_reader.h"
#include "tests/tasks/path_outcomes.h"
#include "tests/tasks/paths.h"

namespace fcm::paths {
namespace {

// Settings of segmenters: small batches; on a ViT also the blocks whose outputs become feature
// maps.
const Settings kFewScenes = {"optim.batch_size=2", "optim.micro_batch=2"};
const Settings kFewScenesOfVit = {"optim.batch_size=2", "optim.micro_batch=2",
                                  "segmenter.taps=[0,0,1,1]"};

// Settings of detectors: small batches and a low score threshold. Except on a Swin, attention
// windows have 2 x 2 patches of 8, 16 or 32 pixels.
const Settings kFewObjects = {"optim.batch_size=2", "optim.micro_batch=2", "detector.window=2",
                              "detector.score=0.001"};
const Settings kFewObjectsOfSwin = {"optim.batch_size=2", "optim.micro_batch=2",
                                    "detector.window=0", "detector.global_blocks=[]",
                                    "detector.score=0.001"};

const std::vector<Origin> kOrigins = {
    {"fast_convmae", "smoke_pretrain", {}, ""},
    {"convmae", "smoke_pretrain", {"masks.views=1"}, ""},
    {"mae", "smoke_mae_pretrain", {}, ""},
    {"fast_mae",  // patch size and depth that segmenters and detectors on a ViT need
     "smoke_mae_pretrain",
     {"masks.views=all", "encoder.strides=[16]", "encoder.depths=[4]", "data.image_size=[64,64]"},
     ""},
    {"mixture", "smoke_mixture", {}, ""},
    {"cross", "smoke_cross", {}, ""},
    {"ema",
     "demo_ema",
     {"encoder.dims=[16,24,32]", "encoder.depths=[1,1,2]", "encoder.heads=2",
      "encoder.mlp_ratios=[2,2,2]", "decoder.dim=32", "decoder.heads=2", "decoder.mlp_ratio=2",
      "run.knn_every_epochs=0", "run.probe_every_epochs=0", "run.pictures_every_steps=0"},
     ""},
    {"simmim", "smoke_simmim", {}, ""},
    {"greenmim", "smoke_greenmim", {}, ""},
    {"fast_greenmim", "smoke_greenmim", {"masks.views=all"}, ""},
    {"tuned_convmae", "smoke_finetune", {}, "fast_convmae"},
    {"tuned_mae", "smoke_finetune", {}, "mae"},
    {"tuned_token", "smoke_finetune", {"classifier.pool=token"}, "fast_mae"},
    {"tuned_mixture", "smoke_finetune", {}, "mixture"},
    {"tuned_simmim", "smoke_finetune", {}, "simmim"},
    {"tuned_greenmim", "smoke_finetune", {}, "greenmim"},
    {"probe_convmae", "smoke_linprobe", {}, "fast_convmae"},
    {"probe_mae", "smoke_linprobe", {}, "mae"},
    {"segmented_convmae", "smoke_segment", kFewScenes, "fast_convmae"},
    {"segmented_mae", "smoke_segment", kFewScenesOfVit, "fast_mae"},
    {"detected_convmae", "smoke_detect", kFewObjects, "fast_convmae"},
    {"detected_mae", "smoke_detect", kFewObjects, "fast_mae"},
    {"detected_simmim", "smoke_detect", kFewObjectsOfSwin, "simmim"},
};

const std::vector<CheckpointForm> kForms = {
    {"run", "", "", ""},
    {"step", "", "", "step"},
    {"native", "native", "", ""},
    {"pth", "pth", ".pth", ""},
    {"safetensors", "safetensors", ".safetensors", ""},
    {"hf", "hf", "", ""},
    {"encoder", "encoder", ".pth", ""},
    {"timm", "timm", "", ""},
    {"transformers", "transformers", "", ""},
    {"mmseg", "mmseg", ".pth", ""},
    {"detectron2", "detectron2", ".pth", ""},
};

struct Cell {
  RunCache& cache;
  std::string origin;
  fs::path checkpoint;
};

// A command; `run` returns its result without names and times. `forms` and `origins` are patterns
// of the cells that it runs on.
struct Command {
  std::string name;
  std::function<json(const Cell&)> run;
  std::string forms = "*", origins = "*";
};

void PrintTo(const Command& command, std::ostream* out) { *out << command.name; }

std::string bytes_of(const fs::path& file) { return read_file(file, ExitCode::kData); }

json hash_of(std::string_view bytes) { return std::hash<std::string_view>()(bytes); }

json train_on(const char* recipe, const Cell& cell) {
  SilentReporter silence;
  const fs::path out = cell.cache.fresh();
  const json result = tasks::finetune(
      downstream({"", recipe, {}, ""}, cell.cache.data(), cell.checkpoint, out), silence);
  return {{"weights", weights_of(out)}, {"top1", result.at("top1")}, {"loss", result.at("loss")}};
}

const char* const kVitOfLargePatches = "@(fast_mae|segmented_mae)";

// Trains a segmenter for one step from the cell's checkpoint.
json segmented(const Cell& cell) {
  SilentReporter silence;
  const fs::path out = cell.cache.fresh();
  const Settings& set = fits(kVitOfLargePatches, cell.origin) ? kFewScenesOfVit : kFewScenes;
  const json result =
      tasks::finetune(downstream({"", "smoke_segment", set, ""}, cell.cache.scenes(),
                                 cell.checkpoint, out, /*steps=*/1),
                      silence);
  return {{"weights", weights_of(out)}, {"classes", result.at("classes")}};
}

// Trains a detector for one step from the cell's checkpoint.
json detected(const Cell& cell) {
  SilentReporter silence;
  const fs::path out = cell.cache.fresh();
  const bool is_swin = fits("*@(simmim|greenmim)", cell.origin);
  const json result = tasks::finetune(
      downstream({"", "smoke_detect", is_swin ? kFewObjectsOfSwin : kFewObjects, ""},
                 cell.cache.objects(), cell.checkpoint, out, /*steps=*/1),
      silence);
  return {{"weights", weights_of(out)}, {"box", result.at("box")}};
}

json predicted(const Cell& cell) {
  SilentReporter silence;
  const fs::path out = cell.cache.fresh();
  tasks::predict({{cell.checkpoint, {}, {}},
                  {cell.cache.scenes() + "/images/validation/000.png"},
                  out,
                  false,
                  kMachine},
                 silence);
  json result = {{"list", json::parse(bytes_of(out / "results.json"))},
                 {"drawn", hash_of(bytes_of(out / "000.png"))}};
  if (fs::exists(out / "000.map.png")) result["map"] = hash_of(bytes_of(out / "000.map.png"));
  return result;
}

json features(const char* tokens, const char* ending, const Cell& cell) {
  SilentReporter silence;
  tasks::FeaturesRequest request{
      cell.cache.data(), {cell.checkpoint, {}, {}}, cell.cache.fresh(ending), tokens, "val", false,
      kMachine};
  const json result = tasks::write_features(request, silence);
  const bool npy = request.out.extension() == ".npy";
  return {{"width", result.at("width")},
          {"images", result.at("images")},
          {"pictures", hash_of(bytes_of(result.at("pictures").get<std::string>()))},
          {"features", npy ? hash_of(bytes_of(request.out))
                           : fingerprint(formats::read_safetensors(request.out).tensors)}};
}

// Excludes the title of the sheet: it names the step of the weights, which some forms do not store.
json visualized(const char* what, const Cell& cell) {
  SilentReporter silence;
  constexpr int64_t kTitleRows = 60;
  const fs::path out = cell.cache.fresh(".png"), folder = fs::path(cell.cache.data()) / "val";
  tasks::VisualizeRequest request;
  request.checkpoint.path = cell.checkpoint;
  request.what = what;
  for (const auto& one : fs::recursive_directory_iterator(folder)) {
    if (one.is_regular_file()) request.images.push_back(one.path());
  }
  std::sort(request.images.begin(), request.images.end());
  request.images.resize(2);
  request.out = out;
  request.seed = 3;
  request.machine = kMachine;
  if (request.what == "neighbours") {
    request.images.clear();
    request.data = cell.cache.data();
  }
  json result = tasks::visualize(request, silence);
  const std::string png = bytes_of(out);
  const image::Image sheet =
      image::decode({reinterpret_cast<const uint8_t*>(png.data()), png.size()}, 3);
  const std::string_view pixels(reinterpret_cast<const char*>(sheet.pixels.data()),
                                sheet.pixels.size());
  result.erase("out");
  result["rows"] = sheet.rows;
  result["pixels"] = hash_of(pixels.substr(static_cast<size_t>(kTitleRows * sheet.cols * 3)));
  return result;
}

Command visualize(const char* name, const char* what) {
  return {name, [=](const Cell& cell) { return visualized(what, cell); }};
}

// Resumes the checkpoint in a new folder, for two more steps.
json resumed(const Cell& cell) {
  SilentReporter silence;
  const fs::path out = cell.cache.fresh();
  // Classifiers, probes, segmenters and detectors have no pretraining recipe. Their refusal is
  // tested with the recipe of the run that they started from.
  const Origin* origin = &cell.cache.origin(cell.origin);
  if (!origin->start.empty()) origin = &cell.cache.origin(origin->start);
  tasks::RunRequest request = pretraining(*origin, cell.cache.data(), out, kSteps + 2);
  request.resume = cell.checkpoint;
  const json result = tasks::pretrain(request, silence);
  return {{"steps", result.at("steps")}, {"weights", weights_of(out)}};
}

// Repeats the training command in a copy of the run folder, with two more steps.
json resumed_in_place(const Cell& cell) {
  SilentReporter silence;
  const fs::path out = cell.cache.fresh();
  fs::copy(cell.checkpoint, out, fs::copy_options::recursive);
  const Origin& origin = cell.cache.origin(cell.origin);
  if (origin.start.empty()) {
    tasks::pretrain(pretraining(origin, cell.cache.data(), out, kSteps + 2), silence);
  } else {
    tasks::finetune(
        downstream(origin, cell.cache.data_of(origin), cell.cache.run(origin.start), out, 5),
        silence);
  }
  return weights_of(out);
}

json converted(const char* to, const char* ending, const Cell& cell) {
  SilentReporter silence;
  const fs::path out = cell.cache.fresh(ending);
  tasks::convert_checkpoint({{cell.checkpoint, {}, {}}, to, out, false}, silence);
  tasks::verify_checkpoint(out, silence);
  return weights_of(out);
}

Command convert_to(const char* to, const char* ending = "") {
  return {fmt::format("convert_{}", to),
          [=](const Cell& cell) { return converted(to, ending, cell); }};
}

// What an ONNX model computes, the number of its nodes and a hash of its weights.
json onnx_graph(const Cell& cell) {
  SilentReporter silence;
  const fs::path out = cell.cache.fresh(".onnx");
  const json result = tasks::convert_checkpoint({{cell.checkpoint, {}, {}}, "onnx", out}, silence);
  const test::ReadModel model = test::read_onnx(out);
  size_t weights = 0;
  for (const auto& [name, tensor] : model.tensors) {
    weights = weights * 31 + std::hash<std::string>()(name + tensor.bytes);
  }
  return {{"what", result.at("what")}, {"nodes", model.nodes.size()}, {"weights", weights}};
}

json shown(const Cell& cell) {
  SilentReporter silence;
  const json all = tasks::show_checkpoint(cell.checkpoint, silence);
  return {{"recipe", all.at("recipe")}, {"architecture", all.at("architecture")}};
}

json without(json object, const char* key) {
  object.erase(key);
  return object;
}

const std::vector<Command> kCommands = {
    {"finetune", [](const Cell& cell) { return train_on("smoke_finetune", cell); }},
    {"linprobe_published", [](const Cell& cell) { return train_on("smoke_linprobe", cell); }},
    {"linprobe",
     [](const Cell& cell) {
       SilentReporter silence;
       tasks::RunRequest request;
       request.data = cell.cache.data();
       request.machine = kMachine;
       return tasks::linprobe(request, {cell.checkpoint, {}, {}}, silence);
     }},
    {"linprobe_fast",
     [](const Cell& cell) {
       SilentReporter silence;
       return tasks::fast_linprobe(cell.cache.data(), {cell.checkpoint, {}, {}}, kMachine, silence);
     }},
    {"knn",
     [](const Cell& cell) {
       SilentReporter silence;
       return tasks::knn(cell.cache.data(), {cell.checkpoint, {}, {}}, 5, kMachine, silence);
     }},
    {"features_mean", [](const Cell& cell) { return features("mean", ".npy", cell); }},
    {"features_flat", [](const Cell& cell) { return features("flat", ".safetensors", cell); }},
    {"features_class", [](const Cell& cell) { return features("class", ".npy", cell); }},
    {"eval",
     [](const Cell& cell) {
       SilentReporter silence;
       const std::string data = cell.cache.data_of(cell.cache.origin(cell.origin));
       return tasks::eval({data, {cell.checkpoint, {}, {}}, {}, 16, kMachine}, silence);
     }},
    {"segment", segmented, "@(run|pth|safetensors|hf)", "!(tuned_*|probe_*)"},
    {"detect", detected, "@(run|pth)", "!(tuned_*|probe_*|segmented_*)"},
    {"predict", predicted},
    visualize("visualize", "reconstruction"),
    visualize("visualize_pca", "pca"),
    visualize("visualize_attention", "attention"),
    visualize("visualize_neighbours", "neighbours"),
    {"report",
     [](const Cell& cell) {
       SilentReporter silence;
       tasks::report(cell.checkpoint, silence);
       return json(bytes_of(cell.checkpoint / "report.html").size() > 1000);
     }},
    {"resume", resumed},
    {"resume_auto", resumed_in_place, "run"},
    convert_to("native"),
    convert_to("pth", ".pth"),
    convert_to("safetensors", ".safetensors"),
    convert_to("hf"),
    convert_to("encoder", ".pth"),
    convert_to("timm"),
    convert_to("transformers"),
    convert_to("mmseg", ".pth"),
    convert_to("detectron2", ".pth"),
    {"convert_onnx", onnx_graph},
    {"show", shown},
    {"verify",
     [](const Cell& cell) {
       SilentReporter silence;
       return without(tasks::verify_checkpoint(cell.checkpoint, silence), "checked");
     }},
    {"diff",
     [](const Cell& cell) {
       SilentReporter silence;
       const json diff =
           tasks::diff_checkpoints(cell.checkpoint, cell.cache.run(cell.origin), silence);
       EXPECT_TRUE(diff.at("tensors").empty());
       EXPECT_TRUE(diff.at("only_in_first").empty());
       return without(without(diff, "compared"), "moments_compared");
     }},
};

RunCache& cache() {
  static RunCache the_cache(kOrigins);
  return the_cache;
}

void expect_refused(const Refusal& refusal, const Command& command, const Cell& cell) {
  try {
    command.run(cell);
    ADD_FAILURE() << "the cell works but is listed as refused: " << refusal.sentence;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), refusal.code) << error.what();
    EXPECT_NE(std::string(error.what()).find(refusal.sentence), std::string::npos) << error.what();
  }
}

const CheckpointForm& form(const std::string& name) {
  return *std::find_if(kForms.begin(), kForms.end(),
                       [&](const CheckpointForm& one) { return one.name == name; });
}

using Named = std::tuple<Origin, Command>;
class Paths : public testing::TestWithParam<Named> {};

TEST_P(Paths, EveryFormOfTheCheckpointWorksOrSaysWhyNot) {
  const auto& [origin, command] = GetParam();
  json wanted;
  for (const CheckpointForm& form : kForms) {
    SCOPED_TRACE(origin.name + ", " + command.name + ", " + form.name);
    if (!fits(command.forms.c_str(), form.name)) continue;
    if (!fits(command.origins.c_str(), origin.name)) continue;
    const std::optional<fs::path> checkpoint = cache().checkpoint(origin.name, form);
    if (!checkpoint) {
      EXPECT_NE(refusal_of("convert_" + form.to, origin.name, "run"), nullptr);
      continue;
    }
    const Cell cell{cache(), origin.name, *checkpoint};
    if (const Refusal* refusal = refusal_of(command.name, origin.name, form.name)) {
      expect_refused(*refusal, command, cell);
      continue;
    }
    try {
      const json got = command.run(cell);
      if (form.name == "run") wanted = got;
      EXPECT_EQ(got == wanted, !gives_other_result(command.name, origin.name, form.name))
          << got.dump() << "\nand from the run folder\n"
          << wanted.dump();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

// A row that matches no cell is a mistake in the table.
TEST(PathsTable, EveryRowIsOfSomeCell) {
  const auto is_of_some_cell = [](const CellPattern& cells) {
    return std::any_of(kCommands.begin(), kCommands.end(), [&](const Command& command) {
      return std::any_of(kOrigins.begin(), kOrigins.end(), [&](const Origin& origin) {
        return std::any_of(kForms.begin(), kForms.end(), [&](const CheckpointForm& form) {
          return fits(cells, command.name, origin.name, form.name) &&
                 fits(command.forms.c_str(), form.name) &&
                 fits(command.origins.c_str(), origin.name);
        });
      });
    });
  };
  for (const Refusal& one : kRefusals) EXPECT_TRUE(is_of_some_cell(one.cells)) << one.sentence;
  for (const CellPattern& one : kOtherResults) EXPECT_TRUE(is_of_some_cell(one)) << one.command;
}

TEST(PathsTable, EverySentenceIsDocumented) {
  const std::string text = bytes_of(fs::path(FCM_SOURCE_DIR) / "docs/tour/10-checkpoint.md");
  for (const Refusal& one : kRefusals) {
    EXPECT_NE(text.find(one.sentence), std::string::npos) << one.sentence;
  }
}

// Conversion to a .pth file and back preserves the tensors of a run: weights, moments, moving
// averages.
TEST(PathsChain, AFileForOtherProgramsHoldsAllOfARun) {
  SilentReporter silence;
  for (const Origin& origin : kOrigins) {
    // .pth files store neither the momentum of probes nor the moments of segmenters and detectors.
    if (origin.name.starts_with("probe") || origin.segments() || origin.detects()) continue;
    SCOPED_TRACE(origin.name);
    const fs::path run = cache().run(origin.name), back = cache().fresh();
    const auto pth = cache().checkpoint(origin.name, form("pth"));
    tasks::convert_checkpoint({{*pth, {}, {}}, "native", back, false}, silence);
    const json diff = tasks::diff_checkpoints(run, back, silence);
    EXPECT_TRUE(diff.at("equal").get<bool>()) << diff;
    const checkpoint::Checkpoint whole = interop::load_any(run, true, silence);
    EXPECT_EQ(diff.at("compared"), whole.model.tensors.size() + whole.optimizer.tensors.size());
    const bool average =
        std::any_of(whole.optimizer.tensors.begin(), whole.optimizer.tensors.end(),
                    [](const auto& tensor) { return tensor.name.starts_with("ema."); });
    EXPECT_EQ(average, origin.name == "mixture" || origin.name == "ema" || !origin.start.empty());
  }
}

// A run that is stopped and resumed from its .pth file ends with the weights of one launch.
TEST(PathsChain, ARunGoesOnAsIfItHadNeverStopped) {
  SilentReporter silence;
  for (const Origin& origin : kOrigins) {
    if (!origin.start.empty()) continue;
    SCOPED_TRACE(origin.name);
    const fs::path whole = cache().fresh();
    tasks::pretrain(pretraining(origin, cache().data(), whole, kSteps + 2), silence);
    const Cell from_pth{cache(), origin.name, *cache().checkpoint(origin.name, form("pth"))};
    EXPECT_EQ(resumed(from_pth).at("weights"), weights_of(whole));
    EXPECT_NE(weights_of(cache().run(origin.name)), weights_of(whole)) << "the weights must change";
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Paths,
                         testing::Combine(testing::ValuesIn(kOrigins),
                                          testing::ValuesIn(kCommands)),
                         [](const auto& cell) {
                           return std::get<0>(cell.param).name + "_" + std::get<1>(cell.param).name;
                         });

}  // namespace
}  // namespace fcm::paths
