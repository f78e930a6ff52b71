// Tests reading tar archives that the tests write: valid, unusual and hostile ones.
#include "fcm/loader/sources/tar_samples.h"

#include <functional>

#include "fcm/base/random.h"
#include "fcm/loader/sources/shard_names.h"
#include "fcm/loader/sources/split_folders.h"
#include "tests/loader/support.h"
#include "tests/loader/tar_support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using test::pax_record;
using test::sealed;
using test::tar_end;
using test::tar_header;
using test::tar_member;

class TarSamples : public testing::Test {
 protected:
  TarContents contents(const std::string& archive) const {
    // The old file is removed, because some file systems wait for the disk when one is overwritten.
    std::filesystem::remove(folder_.path() / "x.tar");
    return contents_of_tar(RandomAccessFile(folder_.write("x.tar", archive)));
  }
  std::vector<TarSample> samples(const std::string& archive) const {
    return contents(archive).samples;
  }
  std::string refusal(const std::string& archive) const {
    return data_error([&] { samples(archive); });
  }
  // The bytes of a sample's image, read from its position in the archive.
  std::string image(const TarSample& sample) const {
    std::string bytes(sample.size, '\0');
    RandomAccessFile(folder_.path() / "x.tar")
        .read(sample.begin, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
    return bytes;
  }

  const std::string good_ = tar_member("0.cls", "7\n") + tar_member("0.jpg", "picture");
  test::Scratch folder_;
};

TEST_F(TarSamples, MembersWithOneKeyAreOneSample) {
  const auto found = samples(tar_member("a/b.c/0.cls", "7") + tar_member("a/b.c/0.jpg", "one") +
                             tar_member("./1.PNG", "two") + tar_member("1.json", "{}") +
                             tar_member("2.seg.png", "mask") + tar_member(".hidden.jpg", "x") +
                             tar_member("README", "x") + tar_member("folder/", "", '5') +
                             tar_member("1.cls", "12\r\n") + tar_end());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].key, "a/b.c/0");
  EXPECT_EQ(found[0].label, 7);
  EXPECT_EQ(image(found[0]), "one");
  EXPECT_EQ(found[1].key, "1");
  EXPECT_EQ(found[1].label, 12);
  EXPECT_EQ(image(found[1]), "two");
  EXPECT_EQ(found[0].fault + found[1].fault, "");
  EXPECT_EQ(found[0].label_fault + found[1].label_fault, "");
}

// Members that belong to no sample are counted by kind, with an example.
TEST_F(TarSamples, MembersPassedOverAreCounted) {
  const TarContents found =
      contents(good_ + tar_member("1.json", "{}") + tar_member("2.seg.png", "mask") +
               tar_member("shot v1.0.jpg", "x") + tar_member(".hidden.jpg", "x") +
               tar_member("a/._0.jpg", "x") + tar_member("README", "x") + tar_end());
  EXPECT_EQ(found.samples.size(), 1u);
  EXPECT_EQ(as_text(found.left_out),
            "2 images with a further dot in their names (2.seg.png), 1 .json (1.json), "
            "1 AppleDouble files of macOS (a/._0.jpg), 1 hidden (.hidden.jpg), "
            "1 without extension (README)");
}

TEST_F(TarSamples, EndingsCountInAnyCase) {
  const auto found = samples(tar_member("0.JPG", "one") + tar_member("0.CLS", "3") +
                             tar_member("1.JFIF", "two") + tar_end());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].label, 3);
  EXPECT_EQ(image(found[1]), "two");
}

// If several images have one key, formats of photographs are preferred to those of masks and maps.
TEST_F(TarSamples, OfSeveralImagesOfAKeyOneIsTaken) {
  const std::string jpg = tar_member("0.jpg", "photo"), png = tar_member("0.png", "mask"),
                    webp = tar_member("0.webp", "other"), cls = tar_member("0.cls", "1");
  for (const std::string& members : {jpg + png + webp, webp + png + jpg, png + jpg + webp}) {
    const TarContents found = contents(members + cls + tar_end());
    ASSERT_EQ(found.samples.size(), 1u);
    EXPECT_EQ(image(found.samples[0]), "photo");
    EXPECT_EQ(found.samples[0].fault, "");
    EXPECT_EQ(found.left_out.count(), 2);
  }
  EXPECT_EQ(image(samples(png + webp + tar_end()).at(0)), "other");
  // A fault matters only if it is in the member that is used.
  const std::string link = tar_member("0.png", "", '2');
  EXPECT_EQ(samples(link + jpg + tar_end()).at(0).fault, "");
  EXPECT_EQ(samples(jpg + link + tar_end()).at(0).fault, "");
  EXPECT_NE(samples(png + tar_member("0.jpg", "", '2') + tar_end()).at(0).fault, "");
}

TEST_F(TarSamples, LabelsWithBlanksOrAMarkOfUtf8) {
  for (const char* text : {" 7", "7 \r\n", "\t7",
                           "\xEF\xBB\xBF"
                           "7\n"}) {
    const auto found = samples(tar_member("0.jpg", "x") + tar_member("0.cls", text) + tar_end());
    EXPECT_EQ(found.at(0).label, 7) << text;
    EXPECT_EQ(found.at(0).label_fault, "") << text;
  }
  for (const auto& [text, name] : std::vector<std::pair<std::string, std::string>>{
           {"cat\n", "cat"}, {"1.0", ""}, {"-1", ""}}) {
    const auto found = samples(tar_member("0.jpg", "x") + tar_member("0.cls", text) + tar_end());
    EXPECT_EQ(found.at(0).label_name, name);
    EXPECT_NE(found.at(0).label_fault, "");
  }
}

// As in GNU tar, headers without a magic number are accepted, and so are complete archives without
// an end mark.
TEST_F(TarSamples, OldHeadersAndMissingEndMarks) {
  std::string old = tar_header("0.jpg", 3);
  old.replace(257, 255, std::string(255, '\0'));
  old[156] = '\0';
  const std::string archive = sealed(old) + test::padded("abc");
  const TarContents found = contents(archive + tar_end());
  ASSERT_EQ(found.samples.size(), 1u);
  EXPECT_EQ(image(found.samples[0]), "abc");
  EXPECT_TRUE(found.has_end_mark);
  EXPECT_TRUE(contents(archive + std::string(512, '\0')).has_end_mark);
  const TarContents bare = contents(archive);
  EXPECT_EQ(bare.samples.size(), 1u);
  EXPECT_FALSE(bare.has_end_mark);
}

TEST_F(TarSamples, WhatIsNoArchiveIsCalledByItsName) {
  for (const auto& [bytes, what] : std::vector<std::pair<std::string, std::string>>{
           {std::string("\x1f\x8b\x08", 3) + std::string(600, 'x'), "a compressed file (gzip)"},
           {"<!DOCTYPE html><html>", "a web page"},
           {"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"},
           {"", "an empty file"}}) {
    EXPECT_NE(refusal(bytes).find("is not a tar archive but " + what), std::string::npos)
        << refusal(bytes);
  }
}

TEST_F(TarSamples, LongNamesOfEveryKind) {
  const std::string folder(120, 'd'), key = folder + "/" + std::string(90, 'k');
  const std::string gnu = tar_member("././@LongLink", key + ".jpg" + std::string(1, '\0'), 'L') +
                          sealed(tar_header("cut", 3, '0', true)) + test::padded("gnu");
  const std::string pax =
      tar_member("PaxHeaders/x", pax_record("mtime", "1.5") + pax_record("path", key + ".jpg"),
                 'x') +
      tar_member("cut", "pax");
  std::string prefixed = tar_header(std::string(90, 'k') + ".jpg", 3);
  prefixed.replace(345, folder.size(), folder);
  const std::string ustar = sealed(prefixed) + test::padded("ust");
  for (const auto& [archive, bytes] :
       {std::pair{gnu, "gnu"}, std::pair{pax, "pax"}, std::pair{ustar, "ust"}}) {
    const auto found = samples(archive + tar_member("1.jpg", "next") + tar_end());
    ASSERT_EQ(found.size(), 2u) << bytes;
    EXPECT_EQ(found[0].key, key) << bytes;
    EXPECT_EQ(image(found[0]), bytes);
    EXPECT_EQ(found[1].key, "1") << bytes;  // the long name applies to only one member
  }
}

// GNU headers store times where POSIX headers store the prefix of the name.
TEST_F(TarSamples, GnuHeadersHaveNoPrefix) {
  std::string block = tar_header("0.jpg", 3, '0', true);
  block.replace(345, 11, "12345670123");
  EXPECT_EQ(samples(sealed(block) + test::padded("abc") + tar_end()).at(0).key, "0");
}

TEST_F(TarSamples, SizesInBase256AndInPaxRecords) {
  std::string block = tar_header("0.jpg", 0);
  block.replace(124, 12, std::string("\x80\0\0\0\0\0\0\0\0\0\0\x05", 12));
  EXPECT_EQ(samples(sealed(block) + test::padded("12345") + tar_end()).at(0).size, 5u);
  EXPECT_EQ(samples(tar_member("p", pax_record("size", "5"), 'x') + tar_member("0.jpg", "12345") +
                    tar_end())
                .at(0)
                .size,
            5u);
}

TEST_F(TarSamples, WhatIsWrongWithOneSampleIsItsFault) {
  const auto link = [](const char* name, char type) { return tar_member(name, "", type); };
  const std::vector<std::pair<std::string, std::string>> cases{
      {tar_member("../1.jpg", "x") + tar_member("../1.cls", "1"), "leads out"},
      {tar_member("a/../1.jpg", "x"), "leads out"},
      {tar_member("/tmp/1.jpg", "x"), "absolute"},
      {tar_member("1.cls", "1") + link("1.jpg", '2'), "symbolic link"},
      {link("1.jpg", '1'), "hard link"},
      {link("1.jpg", '3'), "device"},
      {link("1.png", '6'), "pipe"},
      {tar_member("p", pax_record("GNU.sparse.major", "1"), 'x') + tar_member("1.jpg", "x"),
       "sparse"},
      {tar_member("p", pax_record("path", std::string("1.jpg\0x", 7)), 'x') + tar_member("n", "x"),
       ""},  // no fault: by its ending the member is neither an image nor a label
      {tar_member("1.jpg", "x") + tar_member("1.jpg", "y"), "two images"},
      {tar_member("1.jpg", "x") + tar_member("1.cls", "1") + tar_member("1.cls", "2"),
       "label: it has two labels"},
      {tar_member("1.jpg", "x") + tar_member("1.cls", "cat"),
       "label: its .cls is not a class number: \"cat\""},
      {tar_member("1.jpg", "x") + tar_member("1.cls", "-1"),
       "label: its .cls is not a class number: \"-1\""},
      {tar_member("1.jpg", "x") + tar_member("1.cls", ""),
       "label: its .cls is not a class number: \"\""},
      {tar_member("1.jpg", "x") + tar_member("1.cls", "100000"),
       "label: its .cls is not a class number"},
      {tar_member("1.jpg", "x") + tar_member("1.cls", std::string(1000, '1')),
       "label: its .cls is not a class number"},
      {tar_member("1.jpg", "x") + tar_member("1.cls",
                                             "\xef\xbb\xbf"
                                             "7\x1b"),
       "label: its .cls is not a class number: \"7\\x1b\""},
      {tar_member("1.jpg", "x") + link("1.cls", '2'), "label: it is a symbolic link"},
      {tar_member("1.cls", "1"), "no image"}};
  for (const auto& [members, reason] : cases) {
    const auto found = samples(members + good_ + tar_end());
    ASSERT_EQ(found.size(), reason.empty() ? 1u : 2u) << reason;
    if (!reason.empty()) {
      const TarSample& sample = found[0];
      const bool of_label = reason.starts_with("label: ");
      const std::string told = of_label ? "label: " + sample.label_fault : sample.fault;
      EXPECT_NE(told.find(reason), std::string::npos) << told;
      EXPECT_TRUE(!of_label || sample.fault.empty()) << "the image can be used: " << told;
    }
    EXPECT_EQ(found.back().fault + found.back().label_fault, "") << reason;
    EXPECT_EQ(found.back().label, 7) << reason;
  }
}

TEST_F(TarSamples, ADamagedArchiveIsRefusedWithPlaceAndReason) {
  std::string wrong_sum = good_;
  wrong_sum[600] ^= 1;  // within the content of a member, which has no checksum
  EXPECT_NO_THROW(samples(wrong_sum + tar_end()));
  wrong_sum[1030] ^= 1;  // in the second header's name
  std::string odd_size = tar_header("1.jpg", 0), negative = odd_size, odd = odd_size;
  odd_size.replace(124, 3, "9z-");
  negative[124] = '\xff';
  odd.replace(257, 8, "mytar  1");
  const std::vector<std::pair<std::string, std::string>> cases{
      {wrong_sum + tar_end(), "at byte 1024: the header's checksum"},
      {sealed(odd_size) + tar_end(), "not an octal number"},
      {sealed(negative) + tar_end(), "negative"},
      {sealed(odd) + tar_end(), "in none of the formats POSIX, GNU and v7"},
      {sealed(tar_header("1.jpg", 4000)) + tar_end(), "runs past the end"},
      {tar_member("1.jpg", "x", 'S') + tar_end(), "type 'S'"},
      {tar_member("1.jpg", "x", 'M') + tar_end(), "type 'M'"},
      {tar_member("1.jpg", "x", '2') + tar_end(), "a link or device of 1 bytes"},
      {tar_member("p", pax_record("size", "1"), 'x') + tar_member("1.jpg", "xyz") + tar_end(),
       "1 bytes by its pax record, 3 by its header"},
      {tar_member("p", pax_record("size", "1000000000000"), 'x') + tar_member("1.jpg", "x") +
           tar_end(),
       "runs past the end"},
      {tar_member("p", pax_record("size", "99999999999999999999"), 'x') + tar_member("1.jpg", "x"),
       "not a number below 2^62"},
      {tar_member("p", "999 size=1\n", 'x') + tar_member("1.jpg", "x") + tar_end(),
       "a wrong length, 999"},
      {tar_member("p", "3 a", 'x') + tar_member("1.jpg", "x") + tar_end(), "a wrong length, 3"},
      {tar_member("p", "4 a\n", 'x') + tar_member("1.jpg", "x") + tar_end(), "no key"},
      {tar_member("p", "x", 'x') + tar_end(), "not a number"},
      {tar_member("p", "", 'x') + tar_member("p", "", 'x') + tar_end(), "two pax headers"},
      {tar_member("p", "", 'x') + tar_end(), "no member"},
      {tar_member("p", pax_record("path", "all.jpg"), 'g') + good_ + tar_end(), "global"},
      {sealed(tar_header("p", 1 << 21, 'x')) + std::string(1 << 21, ' ') + tar_end(),
       "2097152 bytes"},
      {good_ + std::string(100, '\0'), "is truncated"},
      {tar_member("p", pax_record("mtime", "1"), 'x'), "is truncated"},
      {good_ + std::string(512, '\0') + good_ + tar_end(), "a zero block between"},
      {good_ + tar_end() + good_ + tar_end(), "data follow the end mark"},
      {good_ + tar_end() + std::string(2 << 20, '\0'), "data follow the end mark"}};
  for (const auto& [archive, reason] : cases) {
    const std::string message = refusal(archive);
    EXPECT_NE(message.find(reason), std::string::npos) << reason << ": " << message;
    EXPECT_NE(message.find("x.tar: damaged or hostile tar, at byte "), std::string::npos)
        << message;
  }
}

TEST_F(TarSamples, CutAnywhereIsRefused) {
  const std::string whole =
      tar_member("p", pax_record("path", "long.jpg"), 'x') + good_ + tar_end();
  EXPECT_EQ(samples(whole).size(), 2u);
  // Each member has two blocks. `pax` is the end of the pax header, where a cut is refused. `first`
  // is the end of the member that the pax header describes.
  const size_t pax = 2 * 512, first = pax + 2 * 512;
  for (size_t size = 0; size < whole.size(); ++size) {
    // An archive that is cut between members is accepted; only its end mark is missing.
    const bool is_between = size >= first && size % 1024 == 0 && size <= whole.size() - 1024;
    const bool is_behind = size >= whole.size() - 512;
    if (is_between) {
      EXPECT_FALSE(contents(whole.substr(0, size)).has_end_mark) << size;
    } else if (is_behind) {
      EXPECT_TRUE(contents(whole.substr(0, size)).has_end_mark) << size;
    } else {
      EXPECT_NE(refusal(whole.substr(0, size)), "") << size;
    }
  }
}

// Any bytes are either read as samples within the file or refused with an error.
TEST_F(TarSamples, AlteredArchivesGiveSamplesInsideOrAReason) {
  const std::string whole =
      tar_member("p", pax_record("path", "long.jpg"), 'x') + good_ + tar_end();
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string altered = whole;
    for (int changes = 0; changes < 1 + i % 3; ++changes) {
      altered[random.below(altered.size())] = static_cast<char>(random.below(256));
    }
    if (i % 2 == 0) altered = sealed(altered.substr(0, 512)) + altered.substr(512);
    try {
      for (const TarSample& sample : samples(altered)) {
        ASSERT_LE(sample.begin + sample.size, altered.size());
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::kData);
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(ShardNames, RangesKeepTheirDigits) {
  using Paths = std::vector<std::filesystem::path>;
  EXPECT_EQ(expand_ranges("d/x-{008..010}.tar"),
            (Paths{"d/x-008.tar", "d/x-009.tar", "d/x-010.tar"}));
  EXPECT_EQ(expand_ranges("{0..1}/{1..2}.tar"),
            (Paths{"0/1.tar", "0/2.tar", "1/1.tar", "1/2.tar"}));
  EXPECT_EQ(expand_ranges("x-{9..10}.tar"), (Paths{"x-9.tar", "x-10.tar"}));
  for (const char* wrong :
       {"{1..0}.tar", "{1.tar", "{}.tar", "{a..b}.tar", "{-1..2}.tar", "{1,2}.tar",
        "{0..99999999999999}.tar", "{0..999}{0..999}.tar", "{0..1000000}.tar"}) {
    EXPECT_NE(data_error([&] { expand_ranges(wrong); }), "") << wrong;
  }
}

TEST(ShardNames, WordsAreMatchedWhole) {
  const auto held_out = [](std::vector<std::filesystem::path> names) {
    const NamedSplits splits = splits_by_name(names);
    return splits.are_named ? splits.val : std::vector<std::filesystem::path>{};
  };
  using Paths = std::vector<std::filesystem::path>;
  EXPECT_EQ(held_out({"carnival-000.tar", "beach-000.tar"}), Paths{});
  EXPECT_EQ(held_out({"latest-000.tar", "older-000.tar", "contest.tar", "interval_1.tar"}),
            Paths{});
  EXPECT_EQ(held_out({"x-train-0.tar", "x-VAL-0.tar"}), Paths{"x-VAL-0.tar"});
  EXPECT_EQ(held_out({"a.tar", "val0001.tar", "x_valid.tar", "2validation.tar"}),
            (Paths{"val0001.tar", "x_valid.tar", "2validation.tar"}));
  EXPECT_EQ(held_out({"a.tar", "x-test-0.tar"}), Paths{"x-test-0.tar"});
  EXPECT_EQ(held_out({"a.tar", "x-test-0.tar", "x-val-0.tar"}), Paths{"x-val-0.tar"});
  EXPECT_EQ(held_out({"val-0.tar", "val-1.tar"}), Paths{});  // without others, none is held out
  EXPECT_EQ(held_out({"train-val-0.tar", "test-1.tar"}), Paths{"test-1.tar"});
}

TEST(ShardNames, ValidationShardsAreToldByTheirNames) {
  const test::Scratch folder;
  using Paths = std::vector<std::filesystem::path>;
  const auto b = folder.write("in-train-1.tar", std::string()),
             a = folder.write("in-train-0.tar", std::string());
  folder.write(".hidden.tar", std::string());
  Remarks remarks;
  EXPECT_EQ(shards_in(folder.path(), Split::kVal, remarks), (Paths{a, b}));
  EXPECT_NE(remarks.notes.at(0).find("no shard is held out"), std::string::npos);
  const auto v = folder.write("in-validation-0.tar", std::string());
  remarks = {};
  EXPECT_EQ(shards_in(folder.path(), Split::kTrain, remarks), (Paths{a, b}));
  EXPECT_EQ(remarks.notes.at(0),
            "1 of 3 shards is held out for validation because of its name "
            "(in-validation-0.tar)");
  EXPECT_EQ(as_text(remarks.left_out), "1 hidden (.hidden.tar)");
  EXPECT_EQ(shards_in(folder.path(), Split::kVal, remarks), (Paths{v}));
}

}  // namespace
}  // namespace fcm::loader
