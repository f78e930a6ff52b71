// Exit statuses and messages of the program.
#include "tests/apps/program.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fcm::apps {
namespace {

struct Mistake {
  const char* name;
  const char* arguments;
  int status;
  const char* message;  // stderr must contain this
};

class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, EndWithTheirStatusAndOneSentence) {
  const Outcome outcome = run_here(GetParam().arguments);
  EXPECT_EQ(outcome.status, GetParam().status);
  EXPECT_NE(outcome.err.find(GetParam().message), std::string::npos) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_EQ(outcome.out, "") << "stdout is for results only";
}

INSTANTIATE_TEST_SUITE_P(
    All, Mistakes,
    testing::Values(
        Mistake{"NoCommand", "", 2, "error: name a command: demo, pretrain, "},
        Mistake{"UnknownCommand", "pretrian --recipe demo", 2,
                "error: unknown command pretrian; did you mean pretrain?"},
        Mistake{"UnknownInnerCommand", "recipe lst", 2,
                "error: unknown command lst; did you mean list?"},
        Mistake{"BareGroup", "recipe", 2, "error: recipe needs one of: list, show, check, keys"},
        Mistake{"UnknownFlag", "pretrain --recipie demo", 2,
                "error: unknown flag --recipie; did you mean --recipe?"},
        Mistake{"UnknownFlagWithValue", "recipe show demo --sed=3", 2,
                "error: unknown flag --sed; did you mean --set?"},
        Mistake{"UnknownFlagBeforeTheCommand", "--sett a.b=1 recipe show demo", 2,
                "error: unknown flag --sett; did you mean --set?"},
        Mistake{"UnknownFlagOfNoCommand", "--zzzzzzzz", 2, "error: unknown flag --zzzzzzzz; see "},
        Mistake{"FlagOfNoCommand", "--recipe demo", 2, "error: name a command: demo, pretrain, "},
        Mistake{"UnknownFlagFarFromAll", "recipe list --zzzzzzzz", 2,
                "error: unknown flag --zzzzzzzz; see fastconvmae recipe list --help"},
        Mistake{"UnusedFlag", "demo --dry-run", 2,
                "error: demo does not use --dry-run; it is a flag of pretrain, finetune, linprobe; "
                "see fastconvmae demo --help\n"},
        Mistake{"UnusedFlagBeforeTheCommand", "--seed 3 knn --data synthetic --checkpoint x", 2,
                "error: knn does not use --seed; it is a flag of "},
        Mistake{"FlagsOfAProbeThatIsTrained", "linprobe --data x --checkpoint y --seed 3", 2,
                "error: --seed is only for --recipe linprobe_*, which trains a probe\n"},
        Mistake{"QualityOfRawPixels", "data pack x --out y --format raw --quality 3", 2,
                "error: --quality is for JPEGs, and --format raw has none\n"},
        Mistake{"LatencyReadsNoData", "eval --checkpoint x --latency --data y", 2,
                "error: --data and --latency exclude each other"},
        Mistake{"Teacher", "pretrain --recipe demo --data x --out y --teacher clap=z", 2,
                "error: --teacher clap=z: write clip=FILE or dino=FILE"},
        Mistake{"ValueMissing", "knn --data x --checkpoint y --k", 2,
                "error: --k: its value is missing; see fastconvmae knn --help\n"},
        Mistake{"SecondCommand", "recipe list demo", 2, "error: unknown argument demo"},
        Mistake{"MissingRecipe", "pretrain --data synthetic --out /nowhere/x", 2,
                "error: --recipe is required"},
        Mistake{"NumberExpected", "knn --data x --checkpoint y --k many", 2, "error: --k: "},
        Mistake{"UnknownRecipe", "recipe show dmeo", 2,
                "error: --recipe dmeo: there is no such recipe; did you mean demo?"},
        Mistake{"NoSuchRecipeFile", "recipe show ./dmeo.toml", 2, "there is no such file"},
        Mistake{"UnknownRecipeKey", "recipe show demo --set masks.rato=0.5", 2,
                "unknown key masks.rato; did you mean masks.ratio?"},
        Mistake{"BadSet", "recipe show demo --set optim.epochs", 2,
                "error: --set optim.epochs: write section.key=value"},
        Mistake{"BadValue", "recipe show demo --set optim.epochs=long", 2,
                "optim.epochs = \"long\" must be a number"},
        Mistake{"SeedSetTwice", "recipe show demo --set run.seed=1 --seed 2", 2,
                "error: --seed 2 contradicts --set run.seed=1; leave one out"},
        Mistake{"BadSeed", "recipe show demo --seed -1", 2, "error: --seed: "},
        Mistake{"ImpossibleCombination", "recipe show demo --set encoder.heads=5", 2,
                "the last of encoder.dims = 96 must be divisible by encoder.heads = 5"},
        Mistake{"NoSuchData", "data verify /nowhere/at/all", 3, "/nowhere/at/all"},
        Mistake{"NoSuchCheckpoint", "knn --data synthetic --checkpoint /nowhere/at/all", 4,
                "/nowhere/at/all"},
        Mistake{
            "NoSuchDevice",
            "pretrain --recipe smoke_pretrain --data synthetic --out /nowhere/x --device cuda:99",
            6, "error: --device cuda:99: "},
        Mistake{"NoDevice", "bench ops --device cuda:one", 2,
                "error: --device cuda:one is unknown; use auto, cpu, cuda or cuda:N"},
        Mistake{"NoSuchRun", "report /nowhere/at/all", 2, "/nowhere/at/all"}),
    [](const auto& test) { return std::string(test.param.name); });

// The tests above call the program's function in this process; this test starts the built program.
TEST(Program, IsBuiltAroundTheSameFunction) {
  const Outcome wrong = run_built("pretrian");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_EQ(wrong.err, "error: unknown command pretrian; did you mean pretrain?\n");
  const Outcome right = run_built("recipe check demo");
  EXPECT_EQ(right.status, 0);
  EXPECT_EQ(right.out, run_here("recipe check demo").out);
  EXPECT_NE(right.out, "");
  const Outcome help = run_built("knn --help");
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.out, run_here("knn --help").out);
  EXPECT_NE(help.out, "");
}

TEST(Program, TellsItsVersion) {
  const Outcome json = run_here("--version --json");
  EXPECT_EQ(json.status, 0);
  const auto facts = nlohmann::json::parse(json.out);
  EXPECT_EQ(facts.at("torch").get<std::string>().substr(0, 5), "2.11.");
  EXPECT_FALSE(facts.at("version").get<std::string>().empty());
  EXPECT_FALSE(facts.at("revision").get<std::string>().empty());
  const auto& cuda = facts.at("cuda");
  EXPECT_EQ(cuda.at("version").is_string(), cuda.at("built").get<bool>());
  EXPECT_TRUE(cuda.at("built").get<bool>() || cuda.at("devices").empty());
  EXPECT_TRUE(facts.at("cuda").at("devices").is_array());
  EXPECT_TRUE(facts.at("cpu").at("isa").is_string());
  EXPECT_TRUE(facts.at("cpu").at("bf16").is_boolean());
  EXPECT_FALSE(facts.at("libraries").empty());
  const Outcome text = run_here("--version");
  EXPECT_TRUE(text.out.starts_with("fastconvmae " + facts.at("version").get<std::string>()));
}

TEST(Program, TakesFlagsBeforeAndBehindTheCommand) {
  const Outcome behind = run_here("recipe show demo --json --seed 7");
  const Outcome before = run_here("--json --seed 7 recipe show demo");
  EXPECT_EQ(behind.status, 0) << behind.err;
  EXPECT_EQ(behind.out, before.out);
  EXPECT_EQ(nlohmann::json::parse(behind.out).at("recipe").at("run").at("seed"), 7);
}

TEST(Program, SetTakesOneValueEachTime) {
  const Outcome outcome =
      run_here("recipe show --set optim.epochs=3 --set masks.views=2 demo --json");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto recipe = nlohmann::json::parse(outcome.out).at("recipe");
  EXPECT_EQ(recipe.at("optim").at("epochs"), 3);
  EXPECT_EQ(recipe.at("masks").at("views"), 2);
  const Outcome twice =
      run_here("recipe show demo --set optim.epochs=3 --set optim.epochs=4 --json");
  EXPECT_EQ(nlohmann::json::parse(twice.out).at("recipe").at("optim").at("epochs"), 4)
      << "the last of several values must count";
}

TEST(RecipeCommands, ListWhatShips) {
  const auto recipes = nlohmann::json::parse(run_here("recipe list --json").out);
  std::vector<std::string> names;
  for (const auto& recipe : recipes) names.push_back(recipe.at("name"));
  for (const char* name : {"demo", "fastconvmae_base_in1k_50ep", "smoke_pretrain"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

TEST(RecipeCommands, ShowPrintsARecipeThatCanBeRun) {
  const Scratch scratch;
  const std::string mine = (scratch / "mine.toml").string();
  ASSERT_EQ(run_built("recipe show demo --set optim.epochs=7 >" + mine).status, 0);
  const auto again = nlohmann::json::parse(run_here("recipe show --json " + mine).out);
  EXPECT_EQ(again.at("recipe").at("optim").at("epochs"), 7);
  EXPECT_EQ(again.at("hash"),
            nlohmann::json::parse(run_here("recipe show --json demo --set optim.epochs=7").out)
                .at("hash"));
}

TEST(RecipeCommands, CheckNamesEveryFaultAndGoesOn) {
  EXPECT_EQ(run_here("recipe check").status, 0);
  const Scratch scratch;
  const std::string bad = (scratch / "bad.toml").string();
  std::ofstream(bad) << "[masks]\nrato = 1\n";
  const Outcome outcome = run_here("recipe check demo " + bad);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(outcome.out.starts_with("demo: ok, ")) << outcome.out;
  EXPECT_NE(outcome.err.find(bad + ":2: unknown key masks.rato; did you mean masks.ratio?"),
            std::string::npos)
      << outcome.err;
}

TEST(RecipeCommands, KeysIsATableOfAll) {
  const std::string table = run_here("recipe keys").out;
  for (const char* key : {"`row.name`", "`masks.views`", "`run.max_rollbacks`"}) {
    EXPECT_NE(table.find(key), std::string::npos) << key;
  }
  const auto rows = std::count(table.begin(), table.end(), '\n') - 2;  // without the header rows
  EXPECT_EQ(std::ssize(nlohmann::json::parse(run_here("recipe keys --json").out)), rows);
}

TEST(DataVerify, CountsGoodAndBadImages) {
  const auto good = nlohmann::json::parse(run_here("data verify synthetic --json").out);
  EXPECT_EQ(good.at("bad"), 0);
  EXPECT_GT(good.at("images").get<int>(), 0);
  const Scratch scratch;
  std::filesystem::create_directories(scratch / "cats");
  std::ofstream(scratch / "cats/a.png") << "no picture";
  const Outcome bad = run_here("data verify --json " + (scratch / "").string());
  EXPECT_EQ(bad.status, 3);
  const auto result = nlohmann::json::parse(bad.out);
  EXPECT_EQ(result.at("bad"), 1);
  EXPECT_EQ(result.at("train").at("bad_images").size(), 1u);
}

TEST(Pretrain, DryRunChangesNothing) {
  const Scratch scratch;
  const std::string out = (scratch / "run").string();
  const Outcome outcome =
      run_built("pretrain --recipe smoke_pretrain --data synthetic --dry-run --json --out " + out);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const auto facts = nlohmann::json::parse(outcome.out);
  EXPECT_TRUE(facts.at("dry_run").get<bool>());
  EXPECT_GT(facts.at("hours_per_epoch_at_least").get<double>(), 0);
  EXPECT_GT(facts.at("memory_needed_bytes").get<double>(),
            16 * facts.at("parameters").get<double>());
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(Pretrain, SmokeRecipeRunsAndIsRefusedASecondTimeWithAnotherRecipe) {
  const Scratch scratch;
  const std::string out = (scratch / "run").string();
  const std::string command =
      "pretrain --recipe smoke_pretrain --data synthetic --json --quiet --out " + out;
  const Outcome outcome = run_built(command);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("steps"), 20);
  for (const char* file : {"recipe.toml", "log.jsonl", "checkpoints/latest", "report.html"}) {
    EXPECT_TRUE(std::filesystem::exists(out + "/" + file)) << file;
  }
  const Outcome again = run_here(command.substr(0, command.find(" --quiet")) + " --out " + out +
                                 " --set run.max_steps=10");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("20 steps are done, more than the 10 of this recipe"), std::string::npos)
      << again.err;
  const Outcome other = run_built(command + " --set masks.ratio=0.5");
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("ratio"), std::string::npos) << other.err;
}

// On a stop signal the run saves a checkpoint and ends with status 75. The second launch resumes
// it; with run.max_steps=1 nothing is left to train.
TEST(Pretrain, StopsOnASignalWithStatus75AndGoesOn) {
  const Scratch scratch;
  const std::string out = (scratch / "run").string();
  const std::string arguments =
      "pretrain --recipe smoke_pretrain --data synthetic --quiet --json --set run.max_steps=0 "
      "--set optim.epochs=40 --out " +
      out;
  // The script sends the signal when the log of the run has its first line.
  const Scratch scripts;
  const std::string script = (scripts / "stop.sh").string();
  std::ofstream(script) << fmt::format(
      "{} {} >/dev/null & pid=$!\n"
      "for i in $(seq 600); do [ -s {}/log.jsonl ] && break; sleep 0.05; done\n"
      "kill -TERM $pid; wait $pid\n",
      FCM_PROGRAM, arguments, out);
  const int status = std::system(("bash " + script).c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 75);
  EXPECT_TRUE(std::filesystem::exists(out + "/checkpoints/latest"));
  const Outcome again = run_built(arguments + " --set run.max_steps=1");
  EXPECT_EQ(again.status, 0) << again.err;
}

TEST(BenchLoader, GivesSpeedStagesAndPlainDecodingWhereThereIsSome) {
  const Outcome drawn = run_here("bench loader --data synthetic --seconds 0.1 --threads 2 --json");
  ASSERT_EQ(drawn.status, 0) << drawn.err;
  const auto speed = nlohmann::json::parse(drawn.out);
  EXPECT_EQ(speed.at("threads"), 2);
  EXPECT_GT(speed.at("stages_ms").at("resize").get<double>(), 0);
  EXPECT_DOUBLE_EQ(speed.at("images_per_second").get<double>(),
                   2 * speed.at("images_per_second_per_thread").get<double>());
  EXPECT_FALSE(speed.contains("plain_decode"));  // synthetic images are not decoded

  const std::string shards = FCM_SOURCE_DIR "/../shared/data/cifar10";
  if (!std::filesystem::is_directory(shards)) GTEST_SKIP() << "sample data are absent: " << shards;
  const auto files = nlohmann::json::parse(
      run_here("bench loader --data " + shards + " --seconds 0.1 --threads 1 --json").out);
  EXPECT_GT(files.at("stages_ms").at("read").get<double>(), 0);
  EXPECT_GT(files.at("plain_decode").at("ratio").get<double>(), 0);
}

TEST(BenchLoader, TakesImagesWithMapsByARecipeOfSegmentation) {
  const Outcome drawn = run_here(
      "bench loader --data synthetic --recipe smoke_segment --seconds 0.1 --threads 1 --json");
  ASSERT_EQ(drawn.status, 0) << drawn.err;
  const auto speed = nlohmann::json::parse(drawn.out);
  EXPECT_GT(speed.at("images_per_second").get<double>(), 0);
  EXPECT_FALSE(speed.contains("stages_ms"));
  const Outcome other = run_here("bench loader --data synthetic --recipe smoke_pretrain");
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("smoke_pretrain is neither"), std::string::npos) << other.err;
}

TEST(BenchPredict, BothFormsSayTheSameOfEveryPixel) {
  const std::string command = "bench predict --recipe smoke_segment --precision fp32 --cols 80 ";
  const Outcome measured = run_here(command + "--rows 72 --rounds 1 --threads 1 --json");
  ASSERT_EQ(measured.status, 0) << measured.err;
  const auto result = nlohmann::json::parse(measured.out);
  EXPECT_EQ(result.at("windows"), 4);
  EXPECT_GT(result.at("same_class").get<double>(), 0.999);  // differences: ties decided by rounding
  EXPECT_GT(result.at("ratio").get<double>(), 0);
  const Outcome small = run_here(command + "--rows 63");
  EXPECT_EQ(small.status, 2);
  EXPECT_NE(small.err.find("no side may be shorter than that of a window"), std::string::npos)
      << small.err;
}

TEST(BenchPredict, BothFormsFindTheSameObjects) {
  const Outcome measured = run_here(
      "bench predict --recipe smoke_detect --precision fp32 --rows 60 --cols 80 --rounds 1 "
      "--threads 1 --json");
  ASSERT_EQ(measured.status, 0) << measured.err;
  const auto result = nlohmann::json::parse(measured.out);
  EXPECT_GT(result.at("objects").get<int64_t>(), 10);
  EXPECT_GT(result.at("same_objects").get<double>(), 0.9);  // differences: ties decided by rounding
  EXPECT_GT(result.at("ratio").get<double>(), 0);
  const Outcome other = run_here("bench predict --recipe smoke_pretrain");
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("smoke_pretrain is neither"), std::string::npos) << other.err;
}

TEST(BenchTune, SaysTheFlagsOfTheFastestThatWasTried) {
  const Outcome outcome = run_here(
      "bench tune --recipe smoke_pretrain --data synthetic --seconds 1 --threads 2 --json");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto result = nlohmann::json::parse(outcome.out);
  double most = 0;
  for (const auto& row : result.at("tried")) {
    most = std::max(most, row.at("images_per_second").get<double>());
  }
  EXPECT_EQ(result.at("best").at("images_per_second"), most);
  EXPECT_GT(result.at("tried").size(), 1u);
  const std::string flags = result.at("flags");
  EXPECT_NE(flags.find(fmt::format("optim.micro_batch={}",
                                   result.at("best").at("micro_batch").get<int64_t>())),
            std::string::npos)
      << flags;
  EXPECT_GT(result.at("hours_per_epoch").get<double>(), 0);
}

TEST(BenchStep, TakesRecipesOfSegmentation) {
  const Outcome measured =
      run_here("bench step --recipe smoke_segment --batch 2 --steps 1 --threads 1 --json");
  ASSERT_EQ(measured.status, 0) << measured.err;
  const auto result = nlohmann::json::parse(measured.out);
  EXPECT_GT(result.at("implementations").at("reference").at("parts").at("backward").get<double>(),
            0);
  EXPECT_GT(result.at("ratio").get<double>(), 0);
}

}  // namespace
}  // namespace fcm::apps
