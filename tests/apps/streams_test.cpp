// Closed, full or unread output streams, and names that are not valid UTF-8.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/program.h"

namespace fcm::apps {
namespace {

namespace fs = std::filesystem;

// Runs the line in bash and returns the exit status; $P is the program.
int shell(const std::string& line) {
  const std::string words = fmt::format("P={}; {}", FCM_PROGRAM, line);
  const int status = std::system(fmt::format("bash -c '{}'", words).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr const char* kTrain =
    "$P pretrain --recipe smoke_pretrain --data synthetic --threads 1 --set run.max_steps=2";

TEST(Streams, ThatAreClosedTakeNothingAndGetNothing) {
  const Scratch scratch;
  EXPECT_EQ(
      shell(fmt::format("{} --out {}/open 2>{}/err", kTrain, scratch.string(), scratch.string())),
      0);
  // Status 2: the run is complete, but its result could not be printed.
  EXPECT_EQ(shell(fmt::format("{} --out {}/closed <&- >&- 2>&-", kTrain, scratch.string())), 2);
  EXPECT_EQ(run_here("checkpoint verify " + (scratch / "closed").string()).status, 0);
  for (const char* file : {"checkpoints/step-2/model.safetensors",
                           "checkpoints/step-2/optimizer.safetensors", "recipe.toml"}) {
    EXPECT_EQ(content_of(scratch / "open" / file), content_of(scratch / "closed" / file)) << file;
  }
  EXPECT_EQ(content_of(scratch / "closed/log.jsonl").front(), '{');
  EXPECT_EQ(content_of(scratch / "closed/log.jsonl").find("pictures"), std::string::npos);
}

TEST(Streams, AReaderThatGoesAwayEndsTheProgramWithoutAWord) {
  const Scratch scratch;
  const std::string err = (scratch / "err").string();
  EXPECT_EQ(shell(fmt::format("$P recipe show demo 2>{} | true; exit ${{PIPESTATUS[0]}}", err)),
            128 + SIGPIPE);
  EXPECT_EQ(content_of(err), "");
}

TEST(Streams, ARunContinuesWithoutAReaderOfItsMessages) {
  const Scratch scratch;
  EXPECT_EQ(shell(fmt::format("({} --out {}/run; echo $? >{}/status) 2>&1 >/dev/null | true",
                              kTrain, scratch.string(), scratch.string())),
            0);
  EXPECT_EQ(content_of(scratch / "status"), "0\n");
  EXPECT_EQ(run_here("checkpoint verify " + (scratch / "run").string()).status, 0);
}

TEST(Streams, AResultWithoutAReaderIsAnError) {
  const Scratch scratch;
  const std::string run = (scratch / "run").string(), err = (scratch / "err").string();
  ASSERT_EQ(shell(fmt::format("{} --out {} --quiet >/dev/null", kTrain, run)), 0);
  const std::string train = fmt::format("{} --out {} --quiet", kTrain, run);
  for (const std::string& command :
       {std::string("$P --version"), std::string("$P --version --json"), std::string("$P --help"),
        std::string("$P knn --help"), std::string("$P recipe list"),
        std::string("$P recipe show demo"), std::string("$P recipe check demo"),
        std::string("$P recipe keys"), std::string("$P data verify synthetic --threads 1"),
        fmt::format("$P checkpoint show {}", run), fmt::format("$P checkpoint verify {}", run),
        fmt::format("$P checkpoint diff {0} {0}", run), train + " --dry-run", train,
        std::string("$P launch --processes 1 recipe list")}) {
    for (const char* stream : {">&-", ">/dev/full"}) {
      SCOPED_TRACE(command + stream);
      EXPECT_EQ(shell(fmt::format("{} {} 2>{}", command, stream, err)), 2);
      EXPECT_NE(content_of(err).find("cannot write the result to stdout: "), std::string::npos)
          << content_of(err);
    }
  }
}

TEST(Streams, ARunThatWasStoppedSaysSoByItsStatusWhateverStdoutIs) {
  const Scratch scratch;
  const std::string run = (scratch / "run").string();
  EXPECT_EQ(shell(fmt::format("$P pretrain --recipe smoke_pretrain --data synthetic --threads 1 "
                              "--set run.max_steps=100000 --out {0} >&- 2>/dev/null & "
                              "for i in $(seq 400); do [ -s {0}/log.jsonl ] && break; sleep 0.05; "
                              "done; kill -TERM $!; wait $!",
                              run)),
            75);
}

TEST(Streams, AFullStdoutIsSaid) {
  const Scratch scratch;
  const std::string err = (scratch / "err").string();
  EXPECT_EQ(shell(fmt::format("$P recipe show demo >/dev/full 2>{}", err)), 2);
  EXPECT_EQ(content_of(err), "error: cannot write the result to stdout: No space left on device\n");
}

TEST(Names, ThatAreNoTextBreakNeitherMessagesNorJson) {
  const Scratch scratch;
  const std::string odd = "no\xe9\nerror: \x1b[31mred";
  const fs::path folder = scratch.path() / odd;
  fs::create_directories(folder / "a");
  scratch.write(odd + "/a/x\xff.jpg", std::string("no picture"));
  const std::string shown = scratch.string() + "/no\\xe9\\nerror: \\x1b[31mred";

  const auto run = [&](const std::vector<std::string>& words) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.status = run_program(words);
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  };
  const Outcome json = run({"data", "verify", folder.string(), "--json", "--threads", "1"});
  EXPECT_EQ(json.status, 3);
  const auto result = nlohmann::json::parse(json.out);  // throws unless it is valid UTF-8
  EXPECT_EQ(result.at("data"), scratch.string() + "/no\\xe9\nerror: \x1b[31mred");
  EXPECT_NE(json.err.find(shown + "/a/x\\xff.jpg"), std::string::npos) << json.err;
  EXPECT_EQ(json.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(json.err.find("\nerror: "), std::string::npos);

  const Outcome text = run({"data", "verify", folder.string(), "--threads", "1"});
  EXPECT_NE(text.out.find(shown), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find("\nerror: "), std::string::npos);

  const Outcome error = run({"knn", "--data", "x", "--checkpoint", folder.string() + "/none"});
  EXPECT_EQ(error.status, 4);
  EXPECT_EQ(error.err, "error: checkpoint " + shown + "/none does not exist\n");
}

}  // namespace
}  // namespace fcm::apps
