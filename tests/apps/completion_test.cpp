// Runs the completion scripts in bash, zsh and fish; shells that are not installed are skipped.
#include "apps/completion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>

#include "apps/command.h"
#include "tests/apps/program.h"

namespace fcm::apps {
namespace {

using Words = std::vector<std::string>;

bool has_shell(const std::string& shell) {
  return std::system(fmt::format("command -v {} >/dev/null 2>&1", shell).c_str()) == 0;
}

std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> piece;
  while (const size_t got = std::fread(piece.data(), 1, piece.size(), pipe)) {
    text.append(piece.data(), got);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << text;
  return text;
}

Words sorted_lines(const std::string& text) {
  Words lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(line.substr(0, line.find('\t')));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

class Completion : public testing::Test {
 protected:
  Completion() {
    scratch_.write("bash", bash_completion());
    scratch_.write("zsh", zsh_completion());
    scratch_.write("fish", fish_completion());
    scratch_.write("pictures/a b.jpg", std::string());
    scratch_.write("photo.jpg", std::string());
    std::filesystem::create_directories(scratch_ / "photos");
  }

  // The completions that bash offers at the end of `line` in the folder of the test. The script
  // splits words as readline does; a trailing blank gives an empty last word.
  Words bash(const std::string& line) {
    const std::string script =
        "cd " + scratch_.string() +
        " && source ./bash && COMP_LINE=$1 && COMP_POINT=${#1}\n"
        "COMP_WORDS=() rest=$1 COMP_WORDBREAKS=$' \\t\\n\"><=;|&(:'\n"
        "while [[ -n $rest ]]; do\n"
        "  rest=${rest#\"${rest%%[! ]*}\"}\n"
        "  if [[ $rest == [=:]* ]]; then word=${rest%%[!=:]*}; else word=${rest%%[ =:]*}; fi\n"
        "  [[ -n $word ]] && COMP_WORDS+=(\"$word\")\n"
        "  rest=${rest#\"$word\"}\n"
        "done\n"
        "[[ $1 == *' ' ]] && COMP_WORDS+=('')\n"
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        "_fastconvmae; printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    scratch_.write("run", script);
    return sorted_lines(output_of(fmt::format("bash {} '{}'", (scratch_ / "run").string(), line)));
  }
  Words fish(const std::string& line) {
    return sorted_lines(output_of(
        fmt::format("cd {0} && HOME={0} fish --no-config -c \"source ./fish; complete -C '{1}'\"",
                    scratch_.string(), line)));
  }

  test::Scratch scratch_;
};

Words names_behind(const std::string& group) {
  Words names;
  for (const CommandFacts& one : commands_after(group)) names.push_back(last_word(one.name));
  std::sort(names.begin(), names.end());
  return names;
}

TEST_F(Completion, IsUnderstoodByEachShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    if (!has_shell(shell)) {
      std::printf("skipped: %s is not installed\n", shell);
      continue;
    }
    output_of(fmt::format("{} -n {} 2>&1", shell, (scratch_ / shell).string()));
  }
}

TEST_F(Completion, OfBashKnowsCommandsAndGroups) {
  EXPECT_EQ(bash("fastconvmae "), names_behind(""));
  EXPECT_EQ(bash("fastconvmae rep"), Words{"report"});
  EXPECT_EQ(bash("fastconvmae recipe "), (Words{"check", "keys", "list", "show"}));
  EXPECT_EQ(bash("fastconvmae --json recipe sh"), Words{"show"});
  EXPECT_EQ(bash("fastconvmae nothing "), Words{});
}

TEST_F(Completion, OfBashKnowsEveryFlagOfEveryCommand) {
  for (const Command& command : all_commands()) {
    Words flags;
    for (const FlagFacts& flag : declared(command).flags->facts()) {
      std::copy_if(flag.names.begin(), flag.names.end(), std::back_inserter(flags),
                   [](const std::string& name) { return name.starts_with("--"); });
    }
    std::sort(flags.begin(), flags.end());
    EXPECT_EQ(bash("fastconvmae " + command.name + " --"), flags) << command.name;
  }
}

TEST_F(Completion, OfBashKnowsValues) {
  EXPECT_EQ(bash("fastconvmae features --tokens "), (Words{"class", "flat", "mean"}));
  EXPECT_EQ(bash("fastconvmae features --tokens=fl"), Words{"flat"});
  EXPECT_EQ(bash("fastconvmae eval --device c"), (Words{"cpu", "cuda"}));
  EXPECT_EQ(bash("fastconvmae knn --k "), Words{});
  EXPECT_EQ(bash("fastconvmae pretrain --recipe smoke_pre"), Words{"smoke_pretrain"});
  EXPECT_EQ(bash("fastconvmae recipe show smoke_pre"), Words{"smoke_pretrain"});
  EXPECT_EQ(bash("fastconvmae recipe check demo smoke_pre"), Words{"smoke_pretrain"});
  EXPECT_EQ(bash("fastconvmae completion z"), Words{"zsh"});
  EXPECT_EQ(bash("fastconvmae checkpoint convert --to s"), Words{"safetensors"});
}

TEST_F(Completion, OfBashKnowsKeysOfRecipes) {
  EXPECT_EQ(bash("fastconvmae pretrain --set optim.ep"),
            (Words{"optim.epochs=", "optim.epsilon="}));
  EXPECT_EQ(bash("fastconvmae pretrain --set optim.schedule=step"),
            (Words{"step_cosine", "step_drops"}))
      << "readline completes only the part after the =";
  EXPECT_EQ(bash("fastconvmae pretrain --set segmenter.cl"), Words{"segmenter.classes="});
  EXPECT_EQ(bash("fastconvmae pretrain --set run.seed=1 --set optim.sha"), Words{"optim.shard="});
}

TEST_F(Completion, OfBashKnowsFilesAndFolders) {
  EXPECT_EQ(bash("fastconvmae visualize --images ph"), (Words{"photo.jpg", "photos"}));
  EXPECT_EQ(bash("fastconvmae visualize --images photo.jpg pi"), Words{"pictures"});
  EXPECT_EQ(bash("fastconvmae report photos ph"), Words{"photos"}) << "report takes folders only";
  EXPECT_EQ(bash("fastconvmae knn --data s"), Words{"synthetic"});
  EXPECT_EQ(bash("fastconvmae data verify ph"), (Words{"photo.jpg", "photos"}));
  EXPECT_EQ(bash("fastconvmae pretrain --teacher "), (Words{"clip=", "dino="}));
  EXPECT_EQ(bash("fastconvmae pretrain --teacher clip=ph"), (Words{"photo.jpg", "photos"}));
}

TEST_F(Completion, OfBashGoesOnBehindLaunch) {
  EXPECT_EQ(bash("fastconvmae launch --processes 2 "), names_behind(""));
  EXPECT_EQ(bash("fastconvmae launch --processes 2 knn --k"), Words{"--k"});
  EXPECT_EQ(bash("fastconvmae launch --processes 2 recipe "), names_behind("recipe"));
}

TEST_F(Completion, OfFishAnswersAlike) {
  if (!has_shell("fish")) GTEST_SKIP() << "fish is not installed";
  EXPECT_EQ(fish("fastconvmae recipe "), (Words{"check", "keys", "list", "show"}));
  EXPECT_EQ(fish("fastconvmae rep"), Words{"report"});
  EXPECT_EQ(fish("fastconvmae features --tokens "), (Words{"class", "flat", "mean"}));
  EXPECT_EQ(fish("fastconvmae knn --allow"), Words{"--allow-missing"});
  EXPECT_EQ(fish("fastconvmae launch --processes 2 knn --allow"), Words{"--allow-missing"});
  EXPECT_EQ(fish("fastconvmae pretrain --recipe smoke_pre"), Words{"smoke_pretrain"});
  EXPECT_EQ(fish("fastconvmae pretrain --set optim.ep"),
            (Words{"optim.epochs=", "optim.epsilon="}));
}

// Types a line and a tab into an interactive zsh in a pseudo-terminal.
TEST_F(Completion, OfZshAnswersAlike) {
  if (!has_shell("zsh")) GTEST_SKIP() << "zsh is not installed";
  std::filesystem::copy_file(scratch_ / "zsh", scratch_ / "_fastconvmae");
  scratch_.write("press", std::string(R"(
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= ; stty -echo; cd $1; fpath=($1 \$fpath); autoload -U compinit; compinit -u -d $1/dump"
zpty -w shell 'bindkey "^I" complete-word; zstyle ":completion:*" list-prompt ""; LISTMAX=9999'
zpty -w shell 'echo re""ady'
zpty -r shell seen '*ready*'
zpty -w -n shell "$2"$'\t'
zpty -w shell '; echo E""ND'
zpty -r shell seen '*END*'
print -r -- "$seen"
)"));
  // The line as the terminal shows it after the tab.
  const auto seen = [&](const std::string& line) {
    const std::string all = output_of(fmt::format(
        "timeout 60 zsh -f {} {} '{}'", (scratch_ / "press").string(), scratch_.string(), line));
    const std::string text =
        std::regex_replace(all, std::regex("\x1b\\[[0-9;?]*[a-zA-Z]|\x07|\b"), "");
    const size_t begin = text.rfind("fastconvmae", text.find("; echo"));
    return begin == text.npos ? text : text.substr(begin, text.find("; echo") - begin);
  };
  for (const auto& [typed, shown] : std::map<std::string, std::string>{
           {"fastconvmae rep", "fastconvmae report "},
           {"fastconvmae recipe sho", "fastconvmae recipe show "},
           {"fastconvmae features --tok", "fastconvmae features --tokens="},
           {"fastconvmae features --tokens fl", "fastconvmae features --tokens flat "},
           {"fastconvmae pretrain --recipe smoke_pre",
            "fastconvmae pretrain --recipe smoke_pretrain "},
           {"fastconvmae pretrain --set optim.epo", "fastconvmae pretrain --set optim.epochs="},
           {"fastconvmae launch --processes 2 knn --allo",
            "fastconvmae launch --processes 2 knn --allow-missing="},
           {"fastconvmae knn --tok", "fastconvmae knn --tok"}}) {
    // If the tab arrives before the line editor has started, zsh inserts it as a character, and the
    // test tries again.
    std::string line = seen(typed);
    for (int again = 0; again < 5 && line.ends_with('\t'); ++again) line = seen(typed);
    EXPECT_EQ(line, shown);
  }
}

}  // namespace
}  // namespace fcm::apps
