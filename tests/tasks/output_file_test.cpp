// A command may replace only files that a command of the same kind wrote. The content of a file
// shows its kind.
#include "fcm/tasks/output_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "fcm/base/file.h"
#include "fcm/formats/feature_file.h"
#include "fcm/formats/safetensors.h"
#include "fcm/image/image.h"
#include "fcm/loader/sources/packed_writer.h"
#include "fcm/tasks/result_file.h"
#include "fcm/viz/report.h"
#include "tests/support/error_of.h"
#include "tests/support/scratch.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;

class OutputFile : public testing::Test {
 protected:
  // The message of the refusal; empty if the file may be written.
  std::string refused(const fs::path& out, FileKind kind, bool overwrite = true,
                      const std::vector<fs::path>& reads = {}) {
    return test::error_of(ExitCode::kUsage,
                          [&] { refuse_to_replace(out, kind, overwrite, reads); });
  }
  fs::path put(const std::string& name, const std::string& text) {
    fs::create_directories((scratch_ / name).parent_path());
    std::ofstream(scratch_ / name, std::ios::binary) << text;
    return scratch_ / name;
  }
  void expect(const std::string& message, const std::string& text) {
    EXPECT_NE(message.find(text), message.npos) << message;
  }

  // One file of each kind except kOnnx, as the program writes it (of the .pth only the beginning).
  std::vector<std::pair<FileKind, fs::path>> one_of_each() {
    const float value = 1;
    const std::vector<float> row = {1, 2};
    const std::vector<int64_t> label = {0};
    for (const char* name : {"f.npy", "f.safetensors"}) {
      formats::FeatureFile file(scratch_ / name, 2, 1, {{"classes", "[]"}});
      file.add(row, label);
      file.finish();
    }
    const formats::TensorView weight{"w", "F32", {}, std::as_bytes(std::span(&value, 1))};
    formats::write_safetensors(scratch_ / "w.safetensors", {&weight, 1}, {{"format", "pt"}});
    image::write_png(scratch_ / "sheet.png", {2, 2, 1, {0, 1, 2, 3}});
    loader::PackedWriter pack(scratch_ / "set.pack", loader::PackedKind::kJpeg);
    pack.begin(loader::PackedSplit::kBoth, {});
    pack.add("picture", 1, -1, "a.jpg");
    pack.finish();
    put("page.html", viz::render_report({}));
    put("f.pictures.tsv", "label\tclass\tpicture\n0\ta\ta.jpg\n");
    put("w.pth", std::string("PK\x03\x04") + "............................archive/data.pkl");
    return {{FileKind::kArray, scratch_ / "f.npy"},
            {FileKind::kFeatures, scratch_ / "f.safetensors"},
            {FileKind::kWeights, scratch_ / "w.safetensors"},
            {FileKind::kPng, scratch_ / "sheet.png"},
            {FileKind::kPacked, scratch_ / "set.pack"},
            {FileKind::kImagesOfRows, scratch_ / "f.pictures.tsv"},
            {FileKind::kPth, scratch_ / "w.pth"},
            {FileKind::kPage, scratch_ / "page.html"}};
  }

  test::Scratch scratch_;
};

TEST_F(OutputFile, OnlyMetadataOfThisProgramMakeAFileOurs) {
  const std::vector<float> values = {1};
  const auto written = [&](const std::map<std::string, std::string>& metadata) {
    const formats::TensorView view{"w", "F32", {1}, std::as_bytes(std::span(values))};
    formats::write_safetensors(scratch_ / "w.safetensors", {&view, 1}, metadata);
    return is_written_here(scratch_ / "w.safetensors");
  };
  EXPECT_TRUE(written({{"producer", "fastconvmae"}}));
  EXPECT_TRUE(written({{"recipe", "[optim]\nepochs = 1\n\n[run]\nseed = 0\n"}}));
  EXPECT_FALSE(written({{"producer", "another program"}}));
  EXPECT_FALSE(written({{"recipe", "sourdough"}}));
  EXPECT_FALSE(written({{"format", "pt"}}));
  EXPECT_FALSE(written({}));
}

TEST_F(OutputFile, AFileIsReplacedByOneOfItsKindAlone) {
  const auto files = one_of_each();
  for (const auto& [kind, file] : files) {
    SCOPED_TRACE(file);
    EXPECT_EQ(refused(file, kind), "");
    expect(refused(file, kind, false), "pass --overwrite");
    for (const auto& [other, ignored] : files) {
      if (other != kind) expect(refused(file, other), "so it is not replaced");
    }
  }
}

TEST_F(OutputFile, NothingThereIsFreeAndAnEmptyFileIsOfEveryKind) {
  EXPECT_EQ(refused(scratch_ / "new.npy", FileKind::kArray, false), "");
  const fs::path empty = put("empty", "");
  EXPECT_EQ(refused(empty, FileKind::kPng), "");
  expect(refused(empty, FileKind::kPng, false), "pass --overwrite");
}

TEST_F(OutputFile, FoldersLinksAndPipesAreNoFiles) {
  fs::create_directories(scratch_ / "folder");
  expect(refused(scratch_ / "folder", FileKind::kArray), "is a folder");
  ASSERT_EQ(::mkfifo((scratch_ / "pipe").c_str(), 0600), 0);
  expect(refused(scratch_ / "pipe", FileKind::kArray), "is not a regular file");
  one_of_each();
  fs::create_symlink("f.npy", scratch_ / "link.npy");
  expect(refused(scratch_ / "link.npy", FileKind::kArray), "is a link to f.npy");
  fs::create_symlink("nowhere", scratch_ / "hanging.npy");
  expect(refused(scratch_ / "hanging.npy", FileKind::kArray, false), "is a link to nowhere");
}

TEST_F(OutputFile, WhatIsReadIsNotReplaced) {
  for (const auto& [kind, file] : one_of_each()) {
    const fs::path other_name = scratch_ / "." / file.filename();
    expect(refused(file, kind, true, {"elsewhere", other_name}), "is an input");
  }
}

// A missing folder is refused before any work.
TEST_F(OutputFile, TheFolderMustBeThere) {
  const fs::path file = put("file", "x");
  for (const FileKind kind : {FileKind::kArray, FileKind::kPacked, FileKind::kPth}) {
    expect(refused(scratch_ / "none" / "x", kind),
           "there is no folder " + (scratch_ / "none").string());
    expect(refused(file / "x", kind), "is a file, not a folder");
  }
  EXPECT_FALSE(fs::exists(scratch_ / "none"));
  const auto impossible = [](const fs::path& folder) {
    return test::error_of(ExitCode::kUsage, [&] { refuse_impossible_folder(folder); });
  };
  EXPECT_EQ(impossible(scratch_ / "none" / "x"), "");
  EXPECT_EQ(impossible(scratch_ / "none" / ""), "");
  EXPECT_EQ(impossible("none"), "");
  expect(impossible(file), "is a file, expected a folder");
  expect(impossible(file / "x" / "y"), "file is a file, not a folder");
  fs::create_symlink("nowhere", scratch_ / "link");
  expect(impossible(scratch_ / "link"), "is a link to nowhere, where there is nothing");
}

TEST_F(OutputFile, APartOfACheckpointIsNotReplaced) {
  one_of_each();
  fs::create_directories(scratch_ / "step-4");
  fs::copy_file(scratch_ / "w.safetensors", scratch_ / "step-4" / "model.safetensors");
  put("step-4/manifest.json", "{}");
  expect(refused(scratch_ / "step-4" / "model.safetensors", FileKind::kWeights),
         "is part of the checkpoint");
}

// The temporary file of a killed command cannot be told from a user's file of the same name, so any
// file there stays.
TEST_F(OutputFile, WhateverStandsAtTheTemporarysNameStays) {
  for (const auto& [kind, file] : one_of_each()) {
    const fs::path temporary = file.string() + ".tmp";
    const std::string refusal = temporary.string() + " exists";
    fs::copy_file(file, temporary);
    expect(refused(file, kind), refusal);
    fs::rename(file, file.string() + ".away");
    expect(refused(file, kind, false), refusal);
    fs::rename(file.string() + ".away", file);
    std::ofstream(temporary, std::ios::trunc) << "";
    expect(refused(file, kind), refusal);
    fs::remove(temporary);
    fs::create_symlink("nowhere", temporary);
    expect(refused(file, kind), refusal);
    fs::remove(temporary);
    EXPECT_EQ(refused(file, kind), "");
  }
}

TEST_F(OutputFile, AResultReplacesNoLinkAndNoTemporary) {
  put("out/result.json", "{\"top1\": 1}");
  refuse_foreign_result(scratch_ / "out");  // the result of an earlier evaluation
  for (const char* name : {"result.json.tmp", "confusion.png.tmp"}) {
    const fs::path mine = put(std::string("out/") + name, "mine");
    expect(test::error_of(ExitCode::kUsage, [&] { write_result(scratch_ / "out", {}); }),
           mine.string() + " exists");
    fs::remove(mine);
  }
  fs::rename(scratch_ / "out" / "result.json", scratch_ / "mine.json");
  fs::create_symlink("../mine.json", scratch_ / "out" / "result.json");
  expect(test::error_of(ExitCode::kUsage, [&] { write_result(scratch_ / "out", {}); }),
         "is a link to ../mine.json");
}

// The functions that put a complete file in place of another refuse to replace a link.
TEST_F(OutputFile, ALinkIsNeitherFollowedNorReplaced) {
  const fs::path mine = put("mine.txt", "mine"), out = scratch_ / "out.json",
                 whole = scratch_ / "out.part";
  for (const char* target : {"mine.txt", "nowhere.txt", "/dev/null"}) {
    fs::create_symlink(target, out);
    expect(
        test::error_of(ExitCode::kUsage, [&] { write_file_durably(out, "{}", ExitCode::kUsage); }),
        std::string("is a link to ") + target);
    put("out.part", "{}");
    expect(test::error_of(ExitCode::kUsage, [&] { move_into_place(whole, out, ExitCode::kUsage); }),
           std::string("is a link to ") + target);
    EXPECT_TRUE(fs::is_symlink(out));
    EXPECT_EQ(read_file(mine, ExitCode::kUsage), "mine");
    EXPECT_FALSE(fs::exists(scratch_ / "out.json.tmp"));
    fs::remove(out);
  }
}

// Temporary files are not written through a link either.
TEST_F(OutputFile, ALinkInTheTemporarysPlaceIsNotWrittenThrough) {
  const fs::path mine = put("mine.txt", "mine"), temporary = scratch_ / "out.json.tmp";
  for (const char* target : {"mine.txt", "nowhere.txt"}) {
    fs::create_symlink(target, temporary);
    const std::string message = test::error_of(ExitCode::kUsage, [&] {
      write_file_durably(scratch_ / "out.json", "{}", ExitCode::kUsage);
    });
    expect(message, "it is a link");
    EXPECT_EQ(read_file(mine, ExitCode::kUsage), "mine");
    for (const char* absent : {"out.json", "nowhere.txt"}) {
      EXPECT_FALSE(fs::exists(scratch_ / absent)) << absent;
    }
    fs::remove(temporary);
  }
}

}  // namespace
}  // namespace fcm::tasks
