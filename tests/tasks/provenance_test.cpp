// A checkpoint stores the classes and images that it was trained on. Commands that measure it or
// train it further compare their data with them: classes by name, data sets by number, names and a
// sample of the pixels of images.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/image/image.h"
#include "fcm/tasks/image_set.h"
#include "tests/support/error_of.h"
#include "tests/tasks/paths.h"

namespace fcm::tasks {
namespace {

using paths::kMachine;
using paths::Settings;
namespace fs = std::filesystem;

class WarningReporter final : public Reporter {
 public:
  void info(const std::string&) override {}
  void warn(const std::string& line) override { all += line + "\n"; }
  void progress(const std::string&) override {}
  bool has(const std::string& text) const { return all.find(text) != std::string::npos; }
  std::string all;
};

class Provenance : public testing::Test {
 protected:
  // Writes images of these classes to train/ and val/. The last letter of a class sets the colour
  // of its images.
  std::string images(const std::string& name, const std::vector<std::string>& classes,
                     int64_t train = 8, int64_t val = 4) {
    for (const auto& [split, count, first] :
         {std::tuple{"train", train, int64_t{0}}, std::tuple{"val", val, int64_t{100}}}) {
      for (const std::string& one : classes) put(name + "/" + split + "/" + one, count, first);
    }
    return scratch_ / name;
  }
  void put(const std::string& folder, int64_t count, int64_t first) {
    const char letter = fs::path(folder).filename().string().back();
    fs::create_directories(scratch_ / folder);
    for (int64_t i = first; i < first + count; ++i) {
      image::Image image{16, 16, 3, std::vector<uint8_t>(16 * 16 * 3)};
      for (size_t byte = 0; byte < image.pixels.size(); ++byte) {
        image.pixels[byte] = static_cast<uint8_t>(letter * 37 * (byte % 3 + 1) + i);
      }
      image::write_png(scratch_ / folder / fmt::format("{:03}.png", i), image);
    }
  }

  RunRequest pretraining(const std::string& data, const std::string& out, int steps = 2) {
    return paths::pretraining({"", "smoke_pretrain", {}, ""}, data, scratch_ / out, steps);
  }
  FinetuneRequest finetuning(const std::string& data, const std::string& out, int steps = 2,
                             const fs::path& checkpoint = {}) {
    return paths::downstream({"", "smoke_finetune", {}, ""}, data, checkpoint, scratch_ / out,
                             steps);
  }
  nlohmann::json measured(const std::string& data, const fs::path& checkpoint) {
    said_.all.clear();
    return eval({data, {checkpoint, {}, {}}, {}, 16, kMachine}, said_);
  }
  nlohmann::json state_of(const std::string& run) {
    return checkpoint::newest_state(scratch_ / run / "checkpoints").value();
  }
  std::string page_of(const std::string& run) {
    return read_file(scratch_ / run / "report.html", ExitCode::kUsage);
  }

  tests::Scratch scratch_;
  WarningReporter said_;
};

TEST_F(Provenance, ACheckpointAndAResultSayWhatTheyAreAbout) {
  const std::string data = images("abc", {"a", "b", "c"});
  const nlohmann::json result = finetune(finetuning(data, "run"), said_);
  EXPECT_EQ(said_.all, "");
  const nlohmann::json state = state_of("run");
  EXPECT_EQ(state.at("trained_on").at("classes"), nlohmann::json({"a", "b", "c"}));
  EXPECT_EQ(state.at("trained_on").at("images"), 24);
  EXPECT_EQ(state.at("trained_on").at("split"), "train");
  EXPECT_EQ(state.at("measured_on").at("images"), 12);
  EXPECT_EQ(state.at("measured_on").at("split"), "val");
  EXPECT_EQ(result.at("trained_on").at("list_hash"), state.at("trained_on").at("list_hash"));
  EXPECT_EQ(result.at("measured_on").at("list_hash"), state.at("measured_on").at("list_hash"));
  EXPECT_EQ(result.at("class_names"), nlohmann::json({"a", "b", "c"}));
  EXPECT_NE(page_of("run").find(state.at("trained_on").at("list_hash")), std::string::npos);
  EXPECT_NE(page_of("run").find("Classes by index: a, b, c"), std::string::npos);
  EXPECT_EQ(show_checkpoint(scratch_ / "run", said_).at("trained_on").at("classes"),
            nlohmann::json({"a", "b", "c"}));
}

TEST_F(Provenance, EvalTakesClassesByName) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  const fs::path run = scratch_ / "run";
  const nlohmann::json whole = measured(data, run);
  EXPECT_EQ(said_.all, "");
  EXPECT_EQ(whole.at("trained_on").at("images"), 24);

  const std::string other = images("bcd", {"b", "c", "d"});
  const std::string message = test::error_of(ExitCode::kData, [&] { measured(other, run); });
  EXPECT_NE(message.find("does not have \"d\""), message.npos) << message;

  // The same images with class numbers in another order give the same figures.
  fs::copy(scratch_ / "abc", scratch_ / "list", fs::copy_options::recursive);
  std::string lines;
  for (const auto& [letter, number] : {std::pair{"a", 2}, std::pair{"b", 0}, std::pair{"c", 1}}) {
    for (int i = 100; i < 104; ++i)
      lines += fmt::format("val/{0}/{1}.png {2}\n", letter, i, number);
  }
  std::ofstream(scratch_ / "list" / "val.txt") << lines;
  std::ofstream(scratch_ / "list" / "classes.txt") << "b\nc\na\n";
  const nlohmann::json listed = measured(scratch_ / "list" / "val.txt", run);
  EXPECT_EQ(listed.at("top1"), whole.at("top1"));
  EXPECT_EQ(listed.at("loss"), whole.at("loss"));
  EXPECT_EQ(listed.at("classes"), whole.at("classes"));
  EXPECT_TRUE(said_.has("matched by name")) << said_.all;
  EXPECT_EQ(listed.at("notes").size(), 1u);

  const nlohmann::json some = measured(images("ac", {"a", "c"}), run);
  EXPECT_EQ(some.at("classes").size(), 3u);
  EXPECT_EQ(some.at("classes")[1].at("images"), 0);
  EXPECT_TRUE(said_.has("has only 2 of the 3 classes")) << said_.all;
}

TEST_F(Provenance, TrainingImagesThatAreMeasuredAreSaid) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  // The training images, under another path.
  fs::rename(scratch_ / "abc" / "train", scratch_ / "moved");
  EXPECT_TRUE(measured(scratch_ / "moved", scratch_ / "run").contains("notes"));
  EXPECT_TRUE(said_.has("are the same that the network was trained on")) << said_.all;

  WarningReporter said;
  const nlohmann::json result = finetune(finetuning(scratch_ / "moved", "flat"), said);
  EXPECT_TRUE(said.has("are the same that the network was trained on")) << said.all;
  EXPECT_EQ(result.at("notes").size(), 1u);
  EXPECT_NE(page_of("flat").find("are the same that the network was trained on"),
            std::string::npos);

  said.all.clear();
  const nlohmann::json neighbours =
      knn(scratch_ / "moved", {scratch_ / "run", {}, {}}, 5, kMachine, said);
  EXPECT_TRUE(said.has("each query is in the bank")) << said.all;
  EXPECT_TRUE(neighbours.contains("notes"));
  EXPECT_EQ(neighbours.at("fitted_on").at("images"), neighbours.at("measured_on").at("images"));
}

TEST_F(Provenance, SomeTrainingImagesAmongTheMeasuredAreSaid) {
  const std::string data = images("abc", {"a", "b", "c"});
  for (int i = 0; i < 3; ++i) {
    fs::copy(scratch_ / "abc" / "train" / "b" / fmt::format("{:03}.png", i),
             scratch_ / "abc" / "val" / "b" / fmt::format("copy{}.png", i));
  }
  WarningReporter said;
  const nlohmann::json result = finetune(finetuning(data, "run"), said);
  const std::string note = "3 of 15 images that were compared (20.0 %, for example " + data +
                           "/val/b/copy0.png) are among those that the network was trained on";
  EXPECT_TRUE(said.has(note)) << said.all;
  ASSERT_EQ(result.at("notes").size(), 1u);
  EXPECT_NE(result.at("notes")[0].get<std::string>().find(note), std::string::npos);
  EXPECT_NE(page_of("run").find("3 of 15 images that were compared"), std::string::npos);
  // The checkpoint alone identifies the images, also in a folder elsewhere.
  fs::rename(scratch_ / "abc" / "val", scratch_ / "held_out");
  const nlohmann::json later = measured(scratch_ / "held_out", scratch_ / "run");
  EXPECT_TRUE(said_.has("3 of 15 images that were compared")) << said_.all;
  EXPECT_EQ(later.at("notes").size(), 1u);
  fs::rename(scratch_ / "held_out", scratch_ / "abc" / "val");
  said.all.clear();
  const nlohmann::json neighbours = knn(data, {scratch_ / "run", {}, {}}, 5, kMachine, said);
  EXPECT_TRUE(said.has("are for training as well as for validation")) << said.all;
  EXPECT_GE(neighbours.at("notes").size(), 1u);
}

// Names and number of images are unchanged, but one image of each split has other pixels: later
// figures are about other data.
TEST_F(Provenance, ARunThatGoesOnSaysOtherPixelsUnderTheSameNames) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  EXPECT_EQ(said_.all, "");
  for (const char* split : {"train", "val"}) {
    const fs::path changed = *fs::directory_iterator(scratch_ / "abc" / split / "c");
    fs::copy_file(*fs::directory_iterator(scratch_ / "abc" / "train" / "a"), changed,
                  fs::copy_options::overwrite_existing);
  }
  WarningReporter said;
  const nlohmann::json result = finetune(finetuning(data, "run", 3), said);
  EXPECT_TRUE(
      said.has("the same number and names, but 1 of 24 that were compared have different pixels"))
      << said.all;
  EXPECT_TRUE(said.has("is measured on other images than before")) << said.all;
  EXPECT_TRUE(said.has("with the same names, but 1 of 12 that were compared")) << said.all;
  EXPECT_EQ(state_of("run").at("trained_on").at("earlier").size(), 1u);
  EXPECT_GE(result.at("notes").size(), 1u);
}

TEST_F(Provenance, FoldersThatAreCalledByNumbersAreNoNumbersOfClasses) {
  finetune(finetuning(images("abc", {"a", "b", "c"}), "run"), said_);
  const std::string numbered = images("012", {"0", "1", "2"});
  const std::string message =
      test::error_of(ExitCode::kData, [&] { measured(numbered, scratch_ / "run"); });
  EXPECT_NE(message.find("does not have \"0\""), message.npos) << message;
  // Numbers in a list are indices of the classifier's outputs, and a note says so.
  std::string lines;
  for (int i = 0; i < 3; ++i) lines += fmt::format("val/{0}/100.png {0}\n", i);
  std::ofstream(scratch_ / "012" / "val.txt") << lines;
  EXPECT_EQ(measured(scratch_ / "012" / "val.txt", scratch_ / "run").at("images"), 3);
  EXPECT_TRUE(said_.has("classes are matched by index")) << said_.all;
}

TEST_F(Provenance, ARunThatGoesOnRefusesOtherClasses) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  const std::string before = read_file(scratch_ / "run" / "recipe.toml", ExitCode::kUsage);
  for (const std::string& other : {images("z", {"b", "c", "z_a"}), images("ab", {"a", "b"}, 12)}) {
    const std::string message =
        test::error_of(ExitCode::kData, [&] { finetune(finetuning(other, "run", 4), said_); });
    EXPECT_NE(message.find("differ"), message.npos) << message;
    EXPECT_EQ(read_file(scratch_ / "run" / "recipe.toml", ExitCode::kUsage), before);
  }
  EXPECT_EQ(finetune(finetuning(data, "run", 3), said_).at("steps"), 3);
}

TEST_F(Provenance, ARunThatGoesOnSaysOtherImages) {
  const std::string data = images("abc", {"a", "b", "c"});
  const std::string more = images("more", {"a", "b", "c"}, 16);
  pretrain(pretraining(data, "run", 2), said_);
  EXPECT_EQ(said_.all, "");
  pretrain(pretraining(data, "run", 3), said_);
  EXPECT_EQ(said_.all, "") << "there is no message if the images are unchanged";
  pretrain(pretraining(more, "run", 4), said_);
  EXPECT_TRUE(said_.has("up to step 3 it had 24 images")) << said_.all;
  EXPECT_TRUE(said_.has("now it has 48 images")) << said_.all;
  const nlohmann::json set = state_of("run").at("trained_on");
  EXPECT_EQ(set.at("images"), 48);
  ASSERT_EQ(set.at("earlier").size(), 1u);
  EXPECT_EQ(set.at("earlier")[0].at("until_step"), 3);
  EXPECT_NE(page_of("run").find("up to step 3 the network was trained on 24 other images"),
            std::string::npos);
  // The same number of images with other names.
  WarningReporter said;
  fs::rename(scratch_ / "more" / "train" / "a" / "000.png",
             scratch_ / "more" / "train" / "a" / "zzz.png");
  pretrain(pretraining(more, "run", 5), said);
  EXPECT_TRUE(said.has("but a different list")) << said.all;
  EXPECT_EQ(state_of("run").at("trained_on").at("earlier").size(), 2u);
}

TEST_F(Provenance, AnotherStartThanTheFirstIsSaid) {
  const std::string data = images("abc", {"a", "b", "c"});
  for (const char* out : {"one", "two"}) pretrain(pretraining(data, out), said_);
  finetune(finetuning(data, "run", 2, scratch_ / "one"), said_);
  EXPECT_EQ(state_of("run").at("pretrained_on").at("images"), 24);
  finetune(finetuning(data, "run", 3, scratch_ / "one"), said_);
  EXPECT_EQ(said_.all, "");
  finetune(finetuning(data, "run", 4, scratch_ / "two"), said_);
  EXPECT_TRUE(said_.has("resumes from its own checkpoint of step 3")) << said_.all;
  EXPECT_TRUE(said_.has("two/checkpoints/step-2 is not used")) << said_.all;
}

TEST_F(Provenance, AHeadForOtherClassesIsNotKept) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  finetune(finetuning(data, "same", 1, scratch_ / "run"), said_);
  EXPECT_EQ(said_.all, "");
  finetune(finetuning(images("bcd", {"b", "c", "d"}), "other", 1, scratch_ / "run"), said_);
  EXPECT_TRUE(said_.has("has a head for other classes (class 0 was \"a\" and is \"b\")"))
      << said_.all;
}

TEST_F(Provenance, EarlierCheckpointsAreTakenAndSaidNotToTell) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  const nlohmann::json whole = measured(data, scratch_ / "run");
  // A checkpoint of a version that stored nothing about the images.
  const checkpoint::Checkpoint now =
      checkpoint::load_newest(scratch_ / "run" / "checkpoints", true, said_).value();
  nlohmann::json state = now.state;
  for (const char* name : {"trained_on", "measured_on", "started_from"}) state.erase(name);
  checkpoint::save(scratch_ / "run" / "checkpoints", now.step, now.model.tensors,
                   now.optimizer.tensors, state, {});
  EXPECT_EQ(measured(data, scratch_ / "run").at("top1"), whole.at("top1"));
  EXPECT_TRUE(said_.has("does not say which classes its outputs are")) << said_.all;
  said_.all.clear();
  EXPECT_EQ(finetune(finetuning(data, "run", 3), said_).at("steps"), 3);
  EXPECT_TRUE(said_.has("does not say which images and classes")) << said_.all;
  EXPECT_EQ(state_of("run").at("trained_on").at("images"), 24)
      << "the resumed run stores the number of images";
}

TEST_F(Provenance, FilesOfOtherFormatsTakeItAlong) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  const nlohmann::json set = state_of("run").at("trained_on");
  for (const auto& [format, name] :
       {std::pair{"pth", "w.pth"}, std::pair{"safetensors", "w.safetensors"}, std::pair{"hf", "hf"},
        std::pair{"encoder", "e.pth"}, std::pair{"native", "n"}}) {
    convert_checkpoint({{scratch_ / "run", {}, {}}, format, scratch_ / name, false}, said_);
    EXPECT_EQ(show_checkpoint(scratch_ / name, said_).at("trained_on"), set) << format;
  }
}

// NaN is detected when weights are loaded; overflow in the network is detected in its outputs.
TEST_F(Provenance, WeightsThatAreNotNumbersAreNoResult) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  checkpoint::Checkpoint broken =
      checkpoint::load_newest(scratch_ / "run" / "checkpoints", true, said_).value();
  const auto broken_by = [&](float value) {
    std::vector<float> values(1 << 16, value);
    for (auto* list : {&broken.model.tensors, &broken.optimizer.tensors}) {
      for (formats::TensorView& tensor : *list) {
        if (tensor.name.ends_with("norm1.weight") && tensor.dtype == "F32") {
          tensor.bytes = std::as_bytes(std::span(values)).first(tensor.bytes.size());
        }
      }
    }
    const fs::path run = scratch_ / fmt::format("broken_{}", value);
    checkpoint::save(run / "checkpoints", 2, broken.model.tensors, broken.optimizer.tensors,
                     broken.state, {});
    return run;
  };
  for (const auto& [value, code, evaluated, extracted] :
       {std::tuple{std::numeric_limits<float>::quiet_NaN(), ExitCode::kCheckpoint, "are not finite",
                   "are not finite"},
        std::tuple{1e38F, ExitCode::kNumeric, "NaN or infinity for 12 of 12 images",
                   "hold NaN or infinity"}}) {
    const fs::path run = broken_by(value);
    const std::string message = test::error_of(code, [&] { measured(data, run); });
    EXPECT_NE(message.find(evaluated), message.npos) << message;
    const std::string neighbours = test::error_of(code, [&] {
      knn(data, {run, {}, {}}, 5, kMachine, said_);
    });
    EXPECT_NE(neighbours.find(extracted), neighbours.npos) << neighbours;
    const FeaturesRequest request{data,  {run, {}, {}}, scratch_ / "f.npy", "mean", "val",
                                  false, kMachine};
    const std::string features = test::error_of(code, [&] { write_features(request, said_); });
    EXPECT_NE(features.find(extracted), features.npos) << features;
  }
}

TEST_F(Provenance, NothingReadableIsNoResult) {
  const std::string data = images("abc", {"a", "b", "c"});
  finetune(finetuning(data, "run"), said_);
  for (const auto& entry : fs::recursive_directory_iterator(scratch_ / "abc" / "val")) {
    if (entry.is_regular_file()) std::ofstream(entry.path()) << "no picture";
  }
  const CheckpointRequest checkpoint{scratch_ / "run", {}, {}};
  RunRequest probe;
  probe.data = data;
  probe.machine = kMachine;
  // Whether the action is refused because too few images, or none, can be read.
  const auto refused = [&](const auto& action) {
    const std::string message = test::error_of(ExitCode::kData, action);
    return message.find("be read") != message.npos || message.find("no readable") != message.npos;
  };
  EXPECT_TRUE(refused([&] { measured(data, scratch_ / "run"); }));
  EXPECT_TRUE(refused([&] { knn(data, checkpoint, 5, kMachine, said_); }));
  EXPECT_TRUE(refused([&] { linprobe(probe, checkpoint, said_); }));
  EXPECT_TRUE(refused([&] { fast_linprobe(data, checkpoint, kMachine, said_); }));
  EXPECT_TRUE(refused([&] {
    write_features({data, checkpoint, scratch_ / "f.npy", "mean", "val", false, kMachine}, said_);
  }));
  EXPECT_FALSE(fs::exists(scratch_ / "f.npy"));
}

TEST_F(Provenance, ARunAmongItsImagesIsRefusedOrSaid) {
  const std::string data = images("abc", {"a", "b", "c"});
  fs::copy(scratch_ / "abc" / "train", scratch_ / "flat", fs::copy_options::recursive);
  const auto started = [&](const std::string& from, const std::string& out) {
    said_.all.clear();
    return test::error_of(ExitCode::kUsage, [&] { pretrain(pretraining(from, out, 1), said_); });
  };
  const std::string flat = scratch_ / "flat";
  for (const std::string out : {"flat/run", "flat/a/run", "abc/train/run"}) {
    const std::string from = out.starts_with("abc") ? data : flat;
    EXPECT_NE(started(from, out).find("would become a class of the data"), std::string::npos)
        << out;
    EXPECT_FALSE(fs::exists(scratch_ / out)) << out;
  }
  EXPECT_EQ(started(data, "abc/run"), "") << "folders beside train/ and val/ are ignored";
  EXPECT_TRUE(said_.has("is inside --data")) << said_.all;
  fs::create_directories(scratch_ / "project");
  fs::copy(scratch_ / "abc", scratch_ / "project" / "data", fs::copy_options::recursive);
  EXPECT_EQ(started(scratch_ / "project" / "data", "project"), "");
  EXPECT_TRUE(said_.has("is inside --out")) << said_.all;
  fs::create_directories(scratch_ / "odd");
  fs::copy(scratch_ / "abc", scratch_ / "odd" / "pictures", fs::copy_options::recursive);
  EXPECT_NE(started(scratch_ / "odd" / "pictures", "odd").find("where a run keeps its pictures"),
            std::string::npos);
  EXPECT_EQ(started("synthetic", "synthetic"), "") << "\"synthetic\" is a name, not a folder";
  EXPECT_EQ(said_.all, "");
}

}  // namespace
}  // namespace fcm::tasks
