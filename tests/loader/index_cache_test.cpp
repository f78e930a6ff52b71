// Tests cached lists of large data sets: a list is used only if nothing has changed since.
#include "fcm/loader/sources/index_cache.h"

#include <functional>

#include "fcm/loader/sources/folder_listing.h"
#include "fcm/loader/sources/shard_index.h"
#include "tests/loader/support.h"
#include "tests/loader/tar_support.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kImages = kMinCachedImages;

// A time in the future, at which the test's files are old enough for their list to be cached.
std::chrono::system_clock::time_point later() {
  return std::chrono::system_clock::now() + 2 * kMinCachedAge;
}

std::vector<std::string> names_of(const ImageNames& images) {
  std::vector<std::string> names;
  for (size_t i = 0; i < images.labels.numbers.size(); ++i) {
    names.push_back(
        fmt::format("{} {}", images.names.at(static_cast<int64_t>(i)), images.labels.numbers[i]));
  }
  return names;
}

TEST(IndexCache, GivesBackWhatWasKeptAndNothingElse) {
  const test::Scratch folder;
  const fs::path cache = folder.path() / "not/yet/there";
  EXPECT_FALSE(read_index(cache, "key"));
  write_index(cache, "key", "content");
  EXPECT_EQ(read_index(cache, "key"), "content");
  EXPECT_FALSE(read_index(cache, "other"));
  EXPECT_FALSE(read_index({}, "key"));
  write_index({}, "key", "content");
  const fs::path file = fs::directory_iterator(cache)->path();
  const std::string whole = read_file(file, ExitCode::kData);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string altered = whole;
    altered[at] ^= 1;
    folder.write(fs::relative(file, folder.path()), altered);
    EXPECT_FALSE(read_index(cache, "key")) << at;
    folder.write(fs::relative(file, folder.path()), whole.substr(0, at));
    EXPECT_FALSE(read_index(cache, "key")) << at;
  }
  // A cache file is named after the checksum of its key. If two keys had the same checksum, the
  // file could have the other key's content: then nothing is read.
  write_index(cache, "other", "content");
  fs::path others;
  for (const auto& entry : fs::directory_iterator(cache)) {
    if (entry.path() != file) others = entry.path();
  }
  fs::rename(others, file);
  EXPECT_FALSE(read_index(cache, "key"));
}

TEST(IndexCache, AFolderThatCannotBeWrittenIsNoError) {
  const test::Scratch folder;
  folder.write("file", std::string("x"));
  EXPECT_NO_THROW(write_index(folder.path() / "file/inside", "key", "content"));
  EXPECT_NO_THROW(write_index("/proc/no/such", "key", "content"));
}

class FolderCache : public testing::Test {
 protected:
  FolderCache() {
    for (int64_t i = 0; i < kImages; ++i) {
      folder_.write(fmt::format("set/{}/deep/{}.png", i % 3, i), std::string());
    }
    fs::create_directories(set_ / "empty");
  }
  ImageNames list(std::chrono::system_clock::time_point now) const {
    return list_folder(set_, {2, cache_}, now);
  }
  // The names in a list that is read from the folder, not from the cache.
  std::vector<std::string> truth() const {
    return names_of(list_folder(set_, {}, std::chrono::system_clock::now()));
  }
  bool is_cached() const { return fs::exists(cache_); }

  test::Scratch folder_;
  const fs::path set_ = folder_.path() / "set", cache_ = folder_.path() / "cache";
};

TEST_F(FolderCache, IsUsedWhereNothingChanged) {
  const auto expected = truth();
  EXPECT_EQ(names_of(list(later())), expected);
  ASSERT_TRUE(is_cached());
  const ImageNames again = list(later());
  EXPECT_EQ(names_of(again), expected);
  EXPECT_EQ(again.labels.classes, (std::vector<std::string>{"0", "1", "2"}));
  // Changing the cache file changes the result, so the cache is used.
  const std::string key = "folder " + fs::canonical(set_).string();
  std::string content = *read_index(cache_, key);
  const size_t at = content.find("0/deep/0.png");
  ASSERT_NE(at, std::string::npos);
  content[at + 7] = '8';
  write_index(cache_, key, content);
  EXPECT_NE(names_of(list(later())), expected);
}

TEST_F(FolderCache, IsNotKeptWhileTheFoldersAreFresh) {
  list(std::chrono::system_clock::now());
  EXPECT_FALSE(is_cached());
}

TEST_F(FolderCache, EveryChangeOfAFolderShows) {
  list(later());
  ASSERT_TRUE(is_cached());
  const std::vector<std::function<void()>> changes{
      [&] { folder_.write("set/1/deep/new.png", std::string()); },
      [&] { fs::remove(set_ / "1/deep/1.png"); },
      [&] { fs::rename(set_ / "2/deep/2.png", set_ / "2/deep/other.png"); },
      [&] { fs::rename(set_ / "0/deep/0.png", set_ / "1/deep/0.png"); },
      [&] { folder_.write("set/empty/now.png", std::string()); },
      [&] { folder_.write("set/new/now.png", std::string()); },
      [&] { fs::rename(set_ / "0", set_ / "zero"); },
      [&] {  // add a file, then restore the folder's modification time
        const auto time = fs::last_write_time(set_ / "2/deep");
        folder_.write("set/2/deep/late.png", std::string());
        fs::last_write_time(set_ / "2/deep", time);
      },
      [&] {  // replace the folder by another with the same modification time
        const auto time = fs::last_write_time(set_ / "2/deep");
        fs::rename(set_ / "2/deep", folder_.path() / "gone");
        folder_.write("set/2/deep/alone.png", std::string());
        fs::last_write_time(set_ / "2/deep", time);
      },
      [&] { fs::remove_all(set_ / "1"); }};
  for (size_t i = 0; i < changes.size(); ++i) {
    const auto before = truth();
    changes[i]();
    const auto after = truth();
    ASSERT_NE(after, before) << i;
    EXPECT_EQ(names_of(list(later())), after) << i;
  }
}

TEST_F(FolderCache, IsNotKeptWhereLinksDecide) {
  fs::create_symlink(folder_.path() / "elsewhere.png", set_ / "0/link.png");
  list(later());
  EXPECT_FALSE(is_cached());
  fs::remove(set_ / "0/link.png");
  fs::create_symlink(folder_.path() / "elsewhere", set_ / "dangling");
  list(later());
  EXPECT_FALSE(is_cached());
}

class TarCache : public testing::Test {
 protected:
  TarCache() {
    write("a.tar", kImages, 1);
    write("b.tar", 2, 2);
  }
  // Writes a shard of `count` empty images that was last modified one hour ago.
  void write(const std::string& name, int64_t count, int label) const {
    std::string bytes;
    for (int64_t i = 0; i < count; ++i) bytes += test::tar_member(fmt::format("{}.png", i), "");
    bytes += test::tar_member("0.cls", std::to_string(label));
    bytes += test::tar_member("1.cls", "a cat");
    const fs::path path = folder_.write(name, bytes + test::tar_end());
    fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(1));
  }
  std::vector<std::string> walk() const {
    std::vector<std::string> found;
    walk_shards({folder_.path() / "a.tar", folder_.path() / "b.tar"}, {2, cache_},
                [&](const ShardIndex& index) {
                  EXPECT_EQ(index.fault, "");
                  for (const TarSample& sample : index.contents.samples) {
                    found.push_back(fmt::format("{} {} {} {} {} {} {}", sample.key, sample.begin,
                                                sample.size, sample.has_image, sample.label,
                                                sample.fault, sample.label_fault));
                  }
                });
    return found;
  }
  std::string key() const {
    return "shards\n" + fs::canonical(folder_.path() / "a.tar").string() + "\n" +
           fs::canonical(folder_.path() / "b.tar").string();
  }

  test::Scratch folder_;
  const fs::path cache_ = folder_.path() / "cache";
};

TEST_F(TarCache, IsUsedWhereNothingChanged) {
  const auto first = walk();
  ASSERT_EQ(std::ssize(first), kImages + 2);
  ASSERT_TRUE(fs::exists(cache_));
  EXPECT_EQ(walk(), first);
  std::string content = *read_index(cache_, key());
  const size_t at = content.find("7777");
  ASSERT_NE(at, std::string::npos);
  content[at] = '8';
  write_index(cache_, key(), content);
  EXPECT_NE(walk(), first);
}

TEST_F(TarCache, AShardThatChangedIsWalkedAgain) {
  const auto first = walk();
  write("b.tar", 3, 5);
  const auto second = walk();
  EXPECT_EQ(std::ssize(second), kImages + 3);
  write("b.tar", 2, 2);
  EXPECT_EQ(walk(), first);
  folder_.write("b.tar", std::string("cut"));
  walk_shards({folder_.path() / "a.tar", folder_.path() / "b.tar"}, {2, cache_},
              [&](const ShardIndex& index) {
                EXPECT_EQ(index.fault.empty(), !index.contents.samples.empty());
              });
}

TEST_F(TarCache, IsNotKeptOfFreshShards) {
  fs::last_write_time(folder_.path() / "b.tar", fs::file_time_type::clock::now());
  walk();
  EXPECT_FALSE(fs::exists(cache_));
}

}  // namespace
}  // namespace fcm::loader
