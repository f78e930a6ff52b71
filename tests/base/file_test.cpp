// Tests that durable files are replaced whole or not at all, whichever system call fails or is the
// last before the process dies.
#include "fcm/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <thread>

#include "fcm/base/failpoint.h"
#include "fcm/base/new_folders.h"
#include "tests/support/crash.h"
#include "tests/support/error_of.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;

class FileTest : public test::TemporaryFolderTest {
 protected:
  std::string content() const { return read_file(path_, ExitCode::kData); }
  int64_t files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  void replace(std::string_view text) const { write_file_durably(path_, text, ExitCode::kData); }

  std::string error_of(const std::function<void()>& action) const {
    return test::error_of(ExitCode::kData, action);
  }

  const fs::path path_ = folder_ / "content.txt";
};

// The number of failpoints that `action` passes.
int64_t points_of(const std::function<void()>& action) {
  failpoint::arm("file:0:kill");
  action();
  const int64_t hits = failpoint::hits();
  failpoint::disarm();
  return hits;
}

TEST_F(FileTest, ReadsBackWhatWasWritten) {
  for (const std::string& text :
       {std::string(), std::string("a\0b\n", 4), std::string(300000, 'x')}) {
    replace(text);
    EXPECT_EQ(content(), text);
  }
  EXPECT_EQ(files(), 1);
}

TEST_F(FileTest, ReadsPipesAndFilesThatSayTheyAreEmpty) {
  EXPECT_NE(read_file("/proc/self/status", ExitCode::kData).find("Name:"), std::string::npos);
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string text(200000, 'p');
  std::thread writer([&] { std::ofstream(pipe) << text; });
  EXPECT_EQ(read_file(pipe, ExitCode::kData), text);
  writer.join();
}

TEST_F(FileTest, ErrorsNameThePathAndTheReason) {
  EXPECT_NE(error_of([&] { content(); }).find(path_.string() + ": No such file"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_file(folder_, ExitCode::kData); }).find("folder"),
            std::string::npos);
  const fs::path nowhere = folder_ / "no" / "where";
  const std::string error = error_of([&] { write_file_durably(nowhere, "x", ExitCode::kData); });
  EXPECT_NE(error.find(nowhere.string()), std::string::npos) << error;
}

TEST_F(FileTest, WhatCannotBeLookedAtIsAnErrorWithTheCodeOfItsUse) {
  const fs::path loop = folder_ / "loop", dangling = folder_ / "dangling";
  fs::create_symlink(loop, loop);
  fs::create_symlink(folder_ / "nothing", dangling);
  replace("x");
  for (const fs::path& path : {loop, folder_ / std::string(300, 'a')}) {
    for (const auto& look : {is_there, is_folder, is_ordinary_file}) {
      EXPECT_NE(error_of([&] { look(path, ExitCode::kData); }).find("cannot access"),
                std::string::npos);
    }
  }
  EXPECT_TRUE(is_folder(folder_, ExitCode::kData));
  EXPECT_FALSE(is_folder(path_, ExitCode::kData));
  EXPECT_TRUE(is_ordinary_file(path_, ExitCode::kData));
  for (const fs::path& path : {dangling, folder_ / "nothing", path_ / "inside"}) {
    EXPECT_FALSE(is_there(path, ExitCode::kData));
    EXPECT_FALSE(is_folder(path, ExitCode::kData));
    EXPECT_FALSE(is_ordinary_file(path, ExitCode::kData));
  }
}

TEST_F(FileTest, TooManyOpenFilesAreTheLimitsFaultAndNoFiles) {
  replace("x");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int highest = ::open("/dev/null", O_RDONLY);
  const rlimit none{static_cast<rlim_t>(highest), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::string error = test::error_of(ExitCode::kDevice, [&] { content(); });
  ::setrlimit(RLIMIT_NOFILE, &before);
  ::close(highest);
  EXPECT_NE(error.find("open files; raise it (ulimit -n)"), std::string::npos) << error;
  EXPECT_EQ(content(), "x");
}

TEST_F(FileTest, FilesThatAreWrittenEndInWhatTheyAre) {
  refuse_other_ending("a/b.npy", {".npy", ".safetensors"});
  for (const char* name : {"a.npy/b", "b.npy.txt", "b.NPY", ""}) {
    EXPECT_NE(test::error_of(ExitCode::kUsage,
                             [&] {
                               refuse_other_ending(name, {".npy", ".safetensors"});
                             })
                  .find("does not end in .npy or .safetensors"),
              std::string::npos);
  }
}

TEST_F(FileTest, ReplacesNothingThatIsNoFile) {
  EXPECT_NE(error_of([&] { write_file_durably("/dev/null", "x", ExitCode::kData); }), "");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_NE(error_of([&] { FileWriter("/dev/full", ExitCode::kData, "file").write("x"); }), "");
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(FileTest, EveryFailingCallLeavesTheOldContentAndNoTemporary) {
  replace("old");
  const int64_t points = points_of([&] { replace("old"); });
  // Before and after each of six calls: open, write, fsync, rename, open and fsync of the folder.
  ASSERT_GE(points, 12);
  for (int64_t point = 1; point <= points; ++point) {
    for (const char* reason : {"ENOSPC", "EIO"}) {
      SCOPED_TRACE(fmt::format("point {} of {}, {}", point, points, reason));
      failpoint::arm(fmt::format("file:{}:{}", point, reason));
      const std::string error = error_of([&] { replace("new content"); });
      failpoint::disarm();
      if (point == 2 || point == 10) {  // after an open, where no failure is possible
        EXPECT_EQ(error, "");
        replace("old");
        continue;
      }
      EXPECT_NE(error, "");
      EXPECT_EQ(content(), point < 8 ? "old" : "new content");  // point 8 is after the rename
      EXPECT_EQ(files(), 1);
      replace("old");
    }
  }
}

TEST_F(FileTest, DyingAtAnyPointLeavesOneContentWhole) {
  const int64_t points = points_of([&] { replace("old"); });
  int64_t old_seen = 0, new_seen = 0;
  for (int64_t point = 1; point <= points; ++point) {
    replace("old");
    const int signal = test::signal_of_child([&] {
      failpoint::arm(fmt::format("file:{}:kill", point));
      replace("new content");
    });
    EXPECT_EQ(signal, SIGKILL);
    (content() == "old" ? old_seen : new_seen) += 1;
    EXPECT_TRUE(content() == "old" || content() == "new content") << "point " << point;
  }
  EXPECT_GT(old_seen, 0);
  EXPECT_GT(new_seen, 0);
}

TEST_F(FileTest, ShortWritesAndInterruptionsAreCarriedOn) {
  const std::string text(100000, 'y');
  failpoint::arm("file.write.before:1+:short");
  replace(text);
  EXPECT_GT(failpoint::hits(), 15);
  EXPECT_EQ(content(), text);
  for (const char* call : {"open", "write", "fsync", "rename"}) {
    failpoint::arm(fmt::format("file.{}.before:1:EINTR", call));
    replace(call);
    EXPECT_GT(failpoint::hits(), 1);
    EXPECT_EQ(content(), call);
  }
}

TEST_F(FileTest, ARealLimitOnFileSizeIsAnErrorAndLeavesTheOldContent) {
  replace("old");
  const int signal = test::signal_of_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    if (error_of([&] { replace(std::string(10000, 'z')); }).find("File too large") ==
        std::string::npos) {
      ::abort();
    }
  });
  EXPECT_EQ(signal, 0);
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(FileTest, FoldersAreMadeAndAFileInTheWayIsAnError) {
  make_folders(folder_ / "a" / "b" / "c", ExitCode::kData);
  EXPECT_TRUE(fs::is_directory(folder_ / "a" / "b" / "c"));
  make_folders(folder_ / "a" / "b" / "", ExitCode::kData);
  replace("x");
  EXPECT_NE(error_of([&] { make_folders(path_, ExitCode::kData); }), "");
  EXPECT_NE(error_of([&] { make_folders(path_ / "below", ExitCode::kData); }), "");
}

TEST_F(FileTest, NewFoldersGoAgainUnlessTheyAreKeptOrFilled) {
  make_folders(folder_ / "before", ExitCode::kData);
  { NewFolders gone(folder_ / "before" / "a" / "b", ExitCode::kData); }
  EXPECT_TRUE(fs::is_directory(folder_ / "before"));
  EXPECT_FALSE(fs::exists(folder_ / "before" / "a"));
  {
    NewFolders filled(folder_ / "before" / "a" / "b", ExitCode::kData);
    write_file_durably(folder_ / "before" / "a" / "note", "x", ExitCode::kData);
  }
  EXPECT_FALSE(fs::exists(folder_ / "before" / "a" / "b"));
  EXPECT_TRUE(fs::exists(folder_ / "before" / "a" / "note"));
  { NewFolders(folder_ / "kept" / "c", ExitCode::kData).keep(); }
  EXPECT_TRUE(fs::is_directory(folder_ / "kept" / "c"));
  { NewFolders existed(folder_ / "kept" / "c", ExitCode::kData); }
  EXPECT_TRUE(fs::is_directory(folder_ / "kept" / "c")) << "a folder that existed before must stay";
  failpoint::arm("file.mkdir.before:2:ENOSPC");
  EXPECT_NE(error_of([&] { make_folders(folder_ / "x" / "y", ExitCode::kData); }), "");
  failpoint::disarm();
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

TEST(Failpoint, SpecsThatAreNoneAreRefused) {
  for (const char* spec :
       {"", "x", "x:1", ":1:kill", "x:one:kill", "x:-1:kill", "x:1:explode",
        "x:1:kill:", "x:1+:EINTR", "x:1:delay-", "x:1++:kill", "x:1:kill,", ",x:1:kill"}) {
    EXPECT_THROW(failpoint::arm(spec), Error) << spec;
  }
  for (const char* spec :
       {"any:1:kill", "checkpoint.write:3+:ENOSPC", "x:2:delay-15", "x:1:kill,y:2:EIO"}) {
    EXPECT_NO_THROW(failpoint::arm(spec)) << spec;
  }
  failpoint::disarm();
}

TEST_F(FileTest, FailpointNamesMatchWholeWords) {
  const auto hits = [&](const std::string& name) {
    failpoint::arm(name + ":0:kill");
    replace("x");
    return failpoint::hits();
  };
  EXPECT_EQ(hits("fil"), 0);
  EXPECT_EQ(hits("file.wri"), 0);
  EXPECT_EQ(hits("file.write"), 2);
  EXPECT_EQ(hits("file.write.after"), 1);
  EXPECT_EQ(hits("any"), hits("file"));
}

TEST_F(FileTest, SeveralFailpointsCountEachForItself) {
  replace("old");
  failpoint::arm("file:0:kill,file.write.before:1:short,file.rename.before:1:EIO");
  EXPECT_NE(error_of([&] { replace("new content"); }).find("rename"), std::string::npos);
  EXPECT_EQ(failpoint::hits(), 2 + 2 * 2 + 2 + 1 + 2);  // open, two writes, fsync, rename, unlink
  EXPECT_EQ(content(), "old");
}

TEST_F(FileTest, ObserversSeeTheCallsThatWereMade) {
  std::vector<std::string> calls;
  failpoint::observe([&](const failpoint::Call& call) { calls.push_back(call.call); });
  replace("x");
  failpoint::observe({});
  replace("y");
  const std::vector<std::string> expected = {"open", "write", "fsync", "rename", "open", "fsync"};
  EXPECT_EQ(calls, expected);
}

}  // namespace
}  // namespace fcm
