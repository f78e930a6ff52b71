// What --overwrite removes from a run folder and what it must keep. The folders also hold files of
// other programs, which must be unchanged afterwards.
#include "fcm/tasks/run_folder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "fcm/base/error.h"
#include "fcm/base/failpoint.h"
#include "fcm/base/file.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/tasks/demo_finetune.h"
#include "fcm/tasks/run_files.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/event_writer.h"
#include "fcm/train/run_log.h"
#include "tests/support/recording_reporter.h"
#include "tests/tasks/child.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;

// Everything below a folder: the text of files, "-> target" for links, "" for folders.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    std::string& text = found[entry.path().lexically_relative(folder)];
    if (entry.is_symlink()) {
      text = "-> " + fs::read_symlink(entry.path()).string();
    } else if (entry.is_regular_file()) {
      text = read_file(entry.path(), ExitCode::kData);
    }
  }
  return found;
}

void put(const fs::path& file, const std::string& text = "not ours") {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

using test::RecordingReporter;

recipe::Recipe recipe_of(const std::string& about) {
  recipe::Recipe recipe;
  recipe.row.about = about;
  return recipe;
}

void save(const fs::path& checkpoints, int64_t step) {
  const float value = 1;
  const formats::TensorView weight{"w", "F32", {}, std::as_bytes(std::span(&value, 1))};
  checkpoint::save(checkpoints, step, {&weight, 1}, {&weight, 1}, {{"of", "a test"}}, {});
}

// The files that commands add to a folder from prepare(), and temporary files that a crash may
// leave.
void fill_run(const fs::path& run) {
  for (const int64_t step : {2, 4}) save(run / "checkpoints", step);
  save(run / "best", 4);
  put(run / "checkpoints" / "step-6.tmp.999999999" / "model.safetensors", "half");
  put(run / "checkpoints" / "latest.tmp", "step");
  const train::EventWriter events(run / "events");
  put(run / "pictures" / image_name(4), "PNG");
  put(run / "pictures" / (image_name(6) + ".tmp"), "P");
  put(run / "log.jsonl", "{\"step\": 4}\n");
  for (const char* name : {"report.html", "result.json", "confusion.png", "result.json.tmp"}) {
    put(run / name, "of a run");
  }
}

// Files of other programs in every folder of a run.
void add_strangers(const fs::path& run) {
  for (const char* name :
       {"notes.md", "slurm-1.out", ".git/HEAD", "data/a/1.png", "checkpoints/README",
        "checkpoints/step-2/notes.md", "checkpoints/step-x/model.safetensors",
        "checkpoints/step-07/model.safetensors", "checkpoints/export.onnx", "best/why.txt",
        "events/events.out.tfevents.mine", "events/profile/trace.json", "pictures/cat.png",
        "pictures/step-1.png", "inner/recipe.toml", "inner/checkpoints/step-1/model.safetensors",
        "result.json.old", "log.jsonl.1"}) {
    put(run / name);
  }
}

class RunFolder : public testing::Test {
 protected:
  ~RunFolder() override { failpoint::disarm(); }

  // The message of the error; empty on success.
  std::string prepare(const fs::path& out, bool overwrite, const std::string& about = "first",
                      const std::string& resume = "auto") {
    try {
      prepare_run_folder({out, resume, overwrite}, recipe_of(about), reporter_);
    } catch (const Error& error) {
      code_ = error.code();
      return error.what();
    }
    return {};
  }

  fs::path make_run(const char* name) {
    const fs::path run = scratch_ / name;
    EXPECT_EQ(prepare(run, false), "");
    fill_run(run);
    return run;
  }

  // A run of a version that did not write the mark file.
  fs::path make_old_run(const char* name) {
    const fs::path run = make_run(name);
    fs::remove(run / ".fastconvmae-run");
    return run;
  }

  // Both --overwrite and the plain command fail with a message that contains `text`, and change
  // nothing.
  void expect_refused(const fs::path& out, const std::string& text) {
    const auto before = contents(scratch_.path());
    for (const bool overwrite : {true, false}) {
      const std::string message = prepare(out, overwrite);
      EXPECT_NE(message.find(text), message.npos) << overwrite << ": " << message;
      EXPECT_EQ(code_, ExitCode::kUsage);
      EXPECT_EQ(contents(scratch_.path()), before) << overwrite;
      code_ = ExitCode::kDone;
    }
  }

  void expect_refused_overwrite(const fs::path& run, const std::string& text) {
    const auto before = contents(run);
    const std::string message = prepare(run, true, "second");
    EXPECT_NE(message.find(text), message.npos) << message;
    EXPECT_EQ(code_, ExitCode::kUsage);
    EXPECT_EQ(contents(run), before);
  }

  tests::Scratch scratch_{test::memory_folder()};
  RecordingReporter reporter_;
  ExitCode code_ = ExitCode::kDone;
};

// The names in a replaced run before its first step.
std::set<std::string> names_of_a_fresh_run() {
  return {".fastconvmae-lock", ".fastconvmae-run", "checkpoints", "pictures", "recipe.toml"};
}

TEST_F(RunFolder, OverwriteRemovesAllThatIsOurs) {
  for (const bool old : {false, true}) {
    const fs::path run = old ? make_old_run("old") : make_run("new");
    ASSERT_EQ(prepare(run, true, "second"), "");
    std::set<std::string> names;
    for (const auto& [name, text] : contents(run)) names.insert(name);
    EXPECT_EQ(names, names_of_a_fresh_run());
    EXPECT_NE(read_file(run / "recipe.toml", ExitCode::kUsage).find("second"), std::string::npos);
  }
}

TEST_F(RunFolder, OverwriteLeavesAllThatIsNotOurs) {
  const fs::path strangers = scratch_ / "strangers", run = make_run("run");
  add_strangers(strangers);
  add_strangers(run);
  ASSERT_EQ(prepare(run, true, "second"), "");
  auto left = contents(run);
  for (const std::string& name : names_of_a_fresh_run()) {
    EXPECT_EQ(left.count(name), 1u) << name;
    if (name != "checkpoints" && name != "pictures") left.erase(name);
  }
  EXPECT_EQ(left, contents(strangers));
  // The run can be trained: a step folder that holds only notes is not taken for a checkpoint, and
  // a checkpoint can be saved under that name.
  EXPECT_EQ(checkpoint::load_newest(run / "checkpoints", true, reporter_), std::nullopt);
  save(run / "checkpoints", 2);
  EXPECT_EQ(checkpoint::load_newest(run / "checkpoints", true, reporter_)->step, 2);
}

// Negative control: contents() differs after one lost file, one changed byte or one lost link.
TEST_F(RunFolder, TheComparisonOfFoldersNoticesALoss) {
  const fs::path folder = scratch_ / "folder";
  const auto whole = [&] {
    fs::remove_all(folder);
    add_strangers(folder);
    fs::create_symlink("notes.md", folder / "link");
    return contents(folder);
  };
  const auto before = whole();
  EXPECT_EQ(whole(), before);
  fs::remove(folder / "checkpoints" / "step-2" / "notes.md");
  EXPECT_NE(contents(folder), before);
  whole();
  put(folder / ".git" / "HEAD", "not ourS");
  EXPECT_NE(contents(folder), before);
  whole();
  fs::remove(folder / "link");
  EXPECT_NE(contents(folder), before);
}

TEST_F(RunFolder, AProjectWithARecipeIsNoRun) {
  const fs::path project = scratch_ / "project";
  put(project / "notes.md");
  put(project / "src" / "main.py");
  put(project / ".git" / "config");
  put(project / "data" / "train" / "a" / "1.png");
  put(project / "recipe.toml",
      "# why this rate: see notes.md\n" + recipe::print_recipe(recipe_of("first")));
  expect_refused(project, "holds recipe.toml");
  // Downloaded weights do not make the folder a run either.
  put(project / "checkpoints" / "step-1" / "model.safetensors");
  put(project / "checkpoints" / "latest", "step-1\n");
  expect_refused(project, "is not a run of this program");
}

// Other programs may also have a log.jsonl, a folder of checkpoints and a recipe.toml.
TEST_F(RunFolder, AFolderOfAnotherProgramIsNoRun) {
  const fs::path project = scratch_ / "project";
  put(project / "recipe.toml", "[kitchen]\nsoup = true\n");
  put(project / "log.jsonl", "{\"step\": 1}\n");
  put(project / "checkpoints" / "last.ckpt");
  expect_refused(project, "is not a run of this program");
}

TEST_F(RunFolder, ATemporarysNameIsInTheWayToo) {
  for (const char* name : {"recipe.toml.tmp", "log.jsonl.tmp", "report.html.tmp"}) {
    const fs::path mine = scratch_ / "mine";
    put(mine / name);
    expect_refused(mine, std::string("holds ") + name);
    fs::remove_all(mine);
  }
}

TEST_F(RunFolder, GoesOnWhereItWasKilledWritingItsRecipe) {
  for (const char* resume : {"auto", "never"}) {
    const fs::path run = scratch_ / resume;
    ASSERT_EQ(prepare(run, false), "");
    fs::rename(run / "recipe.toml", run / "recipe.toml.tmp");
    EXPECT_EQ(prepare(run, false, "first", resume), "");
    EXPECT_TRUE(fs::exists(run / "recipe.toml"));
    EXPECT_FALSE(fs::exists(run / "recipe.toml.tmp"));
  }
  // A run that has checkpoints must have its recipe.toml; the temporary file does not replace it.
  const fs::path run = make_run("more");
  fs::rename(run / "recipe.toml", run / "recipe.toml.tmp");
  EXPECT_NE(prepare(run, false).find("no recipe.toml"), std::string::npos);
}

TEST_F(RunFolder, ThatItsCheckpointsAreGoneIsSaid) {
  const fs::path run = make_run("run");
  EXPECT_EQ(prepare(run, false), "");
  EXPECT_TRUE(reporter_.warnings.empty());
  fs::remove_all(run / "checkpoints");
  EXPECT_EQ(prepare(run, false), "");
  ASSERT_EQ(reporter_.warnings.size(), 1u);
  EXPECT_NE(reporter_.warnings[0].find("its log goes to step 4: the run starts again"),
            std::string::npos)
      << reporter_.warnings[0];
}

TEST_F(RunFolder, AFolderOfRunsIsNoRun) {
  const fs::path runs = scratch_ / "runs";
  for (int i = 0; i < 10; ++i) make_run(("runs/" + std::to_string(i)).c_str());
  put(runs / "recipe.toml", recipe::print_recipe(recipe_of("first")));
  expect_refused(runs, "holds recipe.toml");
}

TEST_F(RunFolder, ANameOfOursInAnotherFolderIsRefused) {
  for (const char* name : {"log.jsonl", "result.json", "report.html", "confusion.png", "best/x",
                           "checkpoints/x", "events/x", "pictures/cat.png"}) {
    const fs::path mine = scratch_ / "mine";
    put(mine / name);
    expect_refused(mine, "holds " + fs::path(name).begin()->string() + " but");
    fs::remove_all(mine);
  }
  put(scratch_ / "file");
  expect_refused(scratch_ / "file", "is a file");
}

TEST_F(RunFolder, OtherFilesAreNotInTheWayOfANewRun) {
  for (const char* name : {"slurm-1.out", ".DS_Store", "out.log"}) {
    const fs::path out = scratch_ / name / "run";
    put(out / name);
    fs::create_directories(out / "checkpoints");  // an empty folder does not make it a run
    EXPECT_EQ(prepare(out, false), "") << name;
    fill_run(out);
    EXPECT_EQ(prepare(out, false), "") << name << ": resumes";
    EXPECT_EQ(prepare(out, true, "second"), "") << name << ": replaced";
    EXPECT_EQ(read_file(out / name, ExitCode::kData), "not ours");
  }
}

TEST_F(RunFolder, OverwriteWithoutARunToReplaceNamesWhatIsThere) {
  put(scratch_ / "mine" / "thesis.txt", "years of work");
  const std::string message = prepare(scratch_ / "mine", true);
  EXPECT_NE(message.find("thesis.txt"), message.npos) << message;
  EXPECT_EQ(contents(scratch_ / "mine").size(), 1u);
}

TEST_F(RunFolder, AnUnchangedRecipeIsNotWrittenAgain) {
  const fs::path run = make_run("run"), file = run / "recipe.toml";
  const std::string text = "# my comment\n" + read_file(file, ExitCode::kUsage);
  put(file, text);
  EXPECT_EQ(prepare(run, false), "");
  EXPECT_EQ(read_file(file, ExitCode::kUsage), text);
  EXPECT_NE(prepare(run, false, "first", "never"), "");
}

TEST_F(RunFolder, ARunGoesOnWithAndWithoutTheSwitchesOfDebug) {
  const fs::path run = make_run("run");
  recipe::Recipe recipe = recipe_of("first");
  for (const bool on : {true, false}) {
    recipe.debug.reference_ops = on;
    EXPECT_NO_THROW(prepare_run_folder({run, "auto", false}, recipe, reporter_)) << on;
  }
}

TEST_F(RunFolder, ARunFolderMayBeALink) {
  const fs::path run = make_run("run"), link = scratch_ / "link";
  put(run / "notes.md");
  fs::create_directory_symlink("run", link);
  for (const fs::path& out : {link, link / ""}) {
    fill_run(run);
    ASSERT_EQ(prepare(out, true, "second"), "") << out;
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_TRUE(fs::is_empty(run / "checkpoints"));
    EXPECT_EQ(read_file(run / "notes.md", ExitCode::kData), "not ours");
  }
  put(scratch_ / "project" / "recipe.toml");
  fs::create_directory_symlink("project", scratch_ / "other");
  expect_refused(scratch_ / "other", "holds recipe.toml");
}

TEST_F(RunFolder, LinksAreRemovedAndNotFollowed) {
  const fs::path elsewhere = make_run("elsewhere");
  const auto before = contents(elsewhere);
  const fs::path run = make_run("run");
  const auto link = [&](const char* name, bool folder) {
    fs::remove_all(run / name);
    const fs::path target = folder ? elsewhere / name : elsewhere / "recipe.toml";
    folder ? fs::create_directory_symlink(target, run / name)
           : fs::create_symlink(target, run / name);
  };
  for (const char* name : {"best", "events", "pictures", "checkpoints/step-4"}) link(name, true);
  for (const char* name : {"log.jsonl", "result.json", "report.html", "recipe.toml",
                           "checkpoints/latest", "checkpoints/step-2/model.safetensors"}) {
    link(name, false);
  }
  fs::create_symlink("nowhere", run / "confusion.png.tmp");
  ASSERT_EQ(prepare(run, true, "second"), "");
  EXPECT_EQ(contents(elsewhere), before);
  std::set<std::string> names;
  for (const auto& [name, text] : contents(run)) {
    names.insert(name);
    EXPECT_FALSE(text.starts_with("->")) << name;
  }
  EXPECT_EQ(names, names_of_a_fresh_run());

  fill_run(run);
  link("checkpoints", true);
  reporter_.warnings.clear();
  ASSERT_EQ(prepare(run, true), "");
  EXPECT_EQ(contents(elsewhere), before);
  EXPECT_TRUE(fs::is_empty(run / "checkpoints"));
  ASSERT_EQ(reporter_.warnings.size(), 1u);
  EXPECT_NE(reporter_.warnings[0].find((elsewhere / "checkpoints").string()), std::string::npos);
}

// A user has put weights in a folder that is named like a step. The folder has no manifest, or that
// of another program.
TEST_F(RunFolder, AStepWithoutAManifestOfOursStaysAndSoDoesTheRun) {
  for (const char* name : {"checkpoints/step-3", "best/step-7", "checkpoints/step-4.old"}) {
    const fs::path run = make_run("run"), step = run / name;
    put(step / "model.safetensors");
    expect_refused_overwrite(run, step.string() + " has no manifest of this program");
    put(step / "manifest.json", "{\"name\": \"another program\"}");
    expect_refused_overwrite(run, step.string() + " has no manifest of this program");
    put(step / "manifest.json", "{\"format\": \"fastcon");  // a manifest of this program, cut off
    EXPECT_EQ(prepare(run, true), "");
    EXPECT_FALSE(fs::exists(step));
    fs::remove_all(run);
  }
}

TEST_F(RunFolder, LinksAtTheNamesOfFilesAreRefusedBeforeWorkAndByReport) {
  const fs::path run = make_run("run"), mine = scratch_ / "mine";
  put(mine);
  for (const char* name :
       {"report.html", "result.json", "log.jsonl", "confusion.png", "checkpoints/latest"}) {
    fs::remove(run / name);
    fs::create_symlink("../mine", run / name);
    const auto before = contents(scratch_.path());
    const std::string message = prepare(run, false);
    EXPECT_NE(message.find(std::string(name) + " is a link to ../mine"), message.npos) << message;
    EXPECT_EQ(contents(scratch_.path()), before);
    if (name == std::string("report.html")) {
      EXPECT_THROW(report(run, reporter_), Error);
      EXPECT_EQ(contents(scratch_.path()), before);
    }
    fs::remove(run / name);
  }
  EXPECT_EQ(prepare(run, false), "");
}

TEST_F(RunFolder, TheCheckpointsOfANewRunMayBeALink) {
  fs::create_directories(scratch_ / "large_disk");
  fs::create_directories(scratch_ / "run");
  fs::create_directory_symlink(scratch_ / "large_disk", scratch_ / "run" / "checkpoints");
  EXPECT_EQ(prepare(scratch_ / "run", false), "");
  save(scratch_ / "run" / "checkpoints", 2);
  EXPECT_TRUE(fs::exists(scratch_ / "large_disk" / "step-2"));
  EXPECT_EQ(prepare(scratch_ / "run", false), "");
}

TEST_F(RunFolder, ReadOnlyFilesGoAndWhatCannotBeRemovedIsNamed) {
  const fs::path run = make_run("run");
  fs::permissions(run / "log.jsonl", fs::perms::owner_read);
  fs::permissions(run / "checkpoints" / "step-2" / "model.safetensors", fs::perms::owner_read);
  failpoint::arm("run.unlink.before:1+:EACCES");  // as in a read-only folder
  const std::string message = prepare(run, true);
  failpoint::disarm();
  EXPECT_NE(message.find("cannot remove " + (run / "result.json").string()), message.npos)
      << message;
  EXPECT_TRUE(fs::exists(run / "checkpoints" / "step-2" / "model.safetensors"));
  EXPECT_EQ(prepare(run, true), "");
  EXPECT_FALSE(fs::exists(run / "log.jsonl"));
}

// --overwrite is killed, or fails with a system error, at each failpoint of the replacement.
TEST_F(RunFolder, AnInterruptedReplacementCanBeRepeatedAndLosesNothing) {
  const fs::path strangers = scratch_ / "strangers", run = scratch_ / "run";
  add_strangers(strangers);
  const auto expected = contents(strangers);
  struct Kind {
    fs::path whole;  // the run before the replacement
    const char* action;
    int64_t stride;  // 4: only every fourth failpoint is tried
  };
  const fs::path fresh = make_run("fresh"), old = make_old_run("old");
  for (const Kind& kind : {Kind{fresh, "kill", 1}, Kind{fresh, "EIO", 4}, Kind{old, "kill", 4}}) {
    const auto before_removal = [&] {
      failpoint::disarm();
      fs::remove_all(run);
      fs::copy(kind.whole, run, fs::copy_options::recursive);
      fs::copy(strangers, run, fs::copy_options::recursive);
    };
    before_removal();
    failpoint::arm("any:0:kill");
    ASSERT_EQ(prepare(run, true, "second"), "");
    const int64_t points = failpoint::hits();
    ASSERT_GT(points, 40);
    for (int64_t point = 1; point <= points; point += kind.stride) {
      SCOPED_TRACE(fmt::format("{} at point {} of {}", kind.action, point, points));
      before_removal();
      const pid_t child = ::fork();
      if (child == 0) {
        failpoint::arm(fmt::format("any:{}:{}", point, kind.action));
        prepare(run, true, "second");
        ::_exit(0);
      }
      tests::wait_for(child);
      auto found = contents(run);
      for (const auto& [name, text] : expected) ASSERT_EQ(found[name], text) << name;
      ASSERT_TRUE(is_run(run));
      // Either the old run can be resumed with its recipe, or the new run starts with the new
      // recipe and without a checkpoint.
      const std::string third = prepare(run, false, "third");
      ASSERT_NE(third.find("another recipe"), third.npos) << third;
      const auto left = checkpoint::load_newest(run / "checkpoints", true, reporter_);
      if (left) {
        ASSERT_EQ(left->step, 4);
      }
      const bool first_goes_on = prepare(run, false, "first").empty();
      ASSERT_TRUE(first_goes_on || (!left && prepare(run, false, "second").empty()));
      ASSERT_EQ(prepare(run, true, "second"), "");
      ASSERT_EQ(checkpoint::load_newest(run / "checkpoints", true, reporter_), std::nullopt);
    }
  }
}

TEST_F(RunFolder, TheDemonstrationsOwnRunsGoWithIt) {
  const fs::path demo = make_run("demo");
  make_run("demo/finetuned");
  put(demo / "finetuned" / "notes.md");
  make_run("elsewhere");
  fs::create_directory_symlink("../elsewhere", demo / "from_scratch");
  make_run("demo/mine");
  const auto mine = contents(demo / "mine"), elsewhere = contents(scratch_ / "elsewhere");
  remove_finetune_demo(demo, reporter_);
  EXPECT_EQ(contents(demo / "finetuned"),
            (std::map<std::string, std::string>{{"notes.md", "not ours"}}));
  EXPECT_FALSE(fs::is_symlink(demo / "from_scratch"));
  EXPECT_EQ(contents(demo / "mine"), mine);
  EXPECT_EQ(contents(scratch_ / "elsewhere"), elsewhere);
  put(demo / "from_scratch" / "recipe.toml");  // a file of the user
  remove_finetune_demo(demo, reporter_);
  EXPECT_TRUE(fs::exists(demo / "from_scratch" / "recipe.toml"));
}

TEST_F(RunFolder, ADemonstrationReplacesNoOtherRunUnasked) {
  const fs::path run = make_run("run");
  put(run / "result.json", "{\"top1\": 90}");  // as from fine-tuning
  const auto before = contents(run);
  DemoRequest request;
  request.out = run;
  request.recipe =
      recipe::load_pretraining_recipe("smoke_pretrain", {fs::path(FCM_SOURCE_DIR) / "recipes"}, {});
  try {
    demo(request, reporter_);
    ADD_FAILURE() << "the demo replaced a run of another command";
  } catch (const Error&) {  // another recipe, or Fashion-MNIST is not installed
  }
  EXPECT_EQ(contents(run), before);
}

}  // namespace
}  // namespace fcm::tasks
