// Handmade .pth containers that each break one rule; the error must name the rule.
#include <functional>

#include "tests/formats/pth_support.h"

namespace fcm::formats {
namespace {

const std::string kPickle = "\x80\x02}.";

Member pickle_member() { return {"a/data.pkl", kPickle}; }

std::string changed(const std::function<void(Member&)>& change) {
  Member second{"a/data/0", "12345678"};
  change(second);
  return archive_of({pickle_member(), second});
}

std::string ended(const std::function<void(ArchiveEnd&)>& change) {
  ArchiveEnd end;
  change(end);
  return archive_of({pickle_member(), {"a/data/0", "12345678"}}, end);
}

std::string extra(uint16_t kind, const std::string& content) {
  return le(kind) + le(static_cast<uint16_t>(content.size())) + content;
}

// zip64 end records. For archive_of({pickle_member()}) the right values are 1 member and a central
// directory of 56 bytes at offset 44.
std::string zip64_end(uint64_t members, uint64_t size, uint64_t offset, uint64_t place = 100,
                      uint64_t record = 44) {
  return "PK\x06\x06" + le(record) + le<uint32_t>(0) + le<uint64_t>(0) + le(members) + le(members) +
         le(size) + le(offset) + "PK\x06\x07" + le<uint32_t>(0) + le(place) + le<uint32_t>(1);
}

std::string with_zip64(
    const std::string& records,
    const std::function<void(ArchiveEnd&)>& change = [](ArchiveEnd&) {}) {
  ArchiveEnd end;
  end.zip64 = records;
  change(end);
  return archive_of({pickle_member()}, end);
}

std::string descriptor(uint32_t crc, uint32_t size) {
  return "PK\x07\x08" + le(crc) + le(size) + le(size);
}

uint32_t crc_of(const std::string& text) { return crc32(std::as_bytes(std::span(text))); }

TEST(PthZipAttacks, SimilarValidFilesAreAccepted) {
  const std::string sizes = le<uint64_t>(8) + le<uint64_t>(8);
  const std::vector<std::string> honest = {
      archive_of({pickle_member()}),
      changed([](Member&) {}),
      changed([](Member& m) { m.flags = 0x800; }),
      changed([](Member& m) { m.extra = m.local_extra = extra(0x4246, "ZZ"); }),
      changed([&](Member& m) { m.local_extra = extra(0x0001, sizes); }),
      changed([&](Member& m) {
        m.size = m.packed = 0xffffffff;
        m.extra = m.local_extra = extra(0x0001, sizes);
      }),
      changed([](Member& m) {
        m.flags = 8;
        m.local_crc = m.local_size = m.local_packed = 0;
        m.descriptor = descriptor(crc_of(m.data), 8);
      }),
      changed([](Member& m) {  // as PyTorch writes members above 4 GB
        m.flags = 8;
        m.local_crc = m.local_size = m.local_packed = 0;
        m.local_extra = extra(0x0001, le<uint64_t>(8) + le<uint64_t>(0));
        m.descriptor = "PK\x07\x08" + le(crc_of(m.data)) + le<uint64_t>(8) + le<uint64_t>(8);
      }),
      changed([](Member& m) {
        m.flags = 8;
        m.data.clear();  // PyTorch writes no descriptor for an empty member
      }),
      changed([](Member& m) {
        m.name = "a/an entry/of a nested.zip";
        m.data = archive_of({});
      }),
      with_zip64(zip64_end(1, 56, 44)),
      with_zip64(zip64_end(1, 56, 44),
                 [](ArchiveEnd& e) {
                   e.members = 0xffff;
                   e.size = e.offset = 0xffffffff;
                 }),
      archive_of({pickle_member(), {"a/byteorder", "little"}, {"a/version", "3\n"}}),
  };
  for (size_t i = 0; i < honest.size(); ++i) EXPECT_EQ(reason_of(honest[i]), "") << i;
}

TEST(PthZipAttacks, OtherFormats) {
  expect_refused({
      {"empty", "", "begins neither"},
      {"three bytes", "PK\x03", "begins neither"},
      {"local signature alone", "PK\x03\x04", "too few"},
      {"end record alone", archive_of({}), "begins neither"},
      {"7z", "7z\xbc\xaf\x27\x1c" + std::string(100, '\0'), "begins neither"},
      {"gzip", "\x1f\x8b" + std::string(100, '\0'), "begins neither"},
      {"bare pickle", "\x80\x02}.", "begins neither"},
      {"HTML", "<!doctype html>", "begins neither"},
      {"no data.pkl", archive_of({{"a/model.json", "{}"}}), "no data.pkl"},
      {"data.pkl is an archive", archive_of({{"a/data.pkl", archive_of({pickle_member()})}}),
       "does not begin with PROTO"},
      {"big-endian", archive_of({pickle_member(), {"a/byteorder", "big"}}), "byteorder is \"big\""},
      {"bytes behind the pickle", archive_of({{"a/data.pkl", kPickle + "x"}}),
       "has bytes after its end"},
  });
}

TEST(PthZipAttacks, BytesAroundTheArchive) {
  const std::string whole = archive_of({pickle_member(), {"a/data/0", "12345678"}});
  expect_refused({
      {"prefix", "#!" + whole, "begins neither"},
      {"prefixed member", ended([](ArchiveEnd& e) { e.before = archive_of({pickle_member()}); }),
       "does not end at"},
      {"appended", whole + "x", "appended"},
      {"comment", ended([](ArchiveEnd& e) {
         e.comment = 1;
         e.after = "x";
       }),
       "comment"},
      {"comment announced", ended([](ArchiveEnd& e) { e.comment = 1; }), "comment"},
      {"second archive appended", whole + whole, "does not end at"},
      {"gap before the directory", ended([](ArchiveEnd& e) { e.gap = "x"; }),
       "belong to no member"},
      {"bytes in the directory", ended([](ArchiveEnd& e) { e.directory = "x"; }),
       "bytes after its last member"},
      {"directory too short", ended([](ArchiveEnd& e) { e.size = 50; }), "does not end at"},
      {"directory at the wrong place", ended([](ArchiveEnd& e) { e.offset = 0; }),
       "does not end at"},
      {"directory beyond the file", ended([](ArchiveEnd& e) { e.offset = 0xfffffff0; }),
       "does not end at"},
      {"one member hidden", ended([](ArchiveEnd& e) { e.members = 1; }),
       "bytes after its last member"},
      {"one member more", ended([](ArchiveEnd& e) { e.members = 3; }), "members are announced"},
      {"many members", ended([](ArchiveEnd& e) { e.members = 0xffff; }), "members are announced"},
      {"two counts", ended([](ArchiveEnd& e) { e.members_here = 1; }), "several disks"},
      {"second disk", ended([](ArchiveEnd& e) { e.disk = 1; }), "several disks"},
  });
}

TEST(PthZipAttacks, Zip64Records) {
  expect_refused({
      {"sizes disagree", with_zip64(zip64_end(1, 55, 45)), "disagree"},
      {"counts disagree", with_zip64(zip64_end(2, 56, 44)), "disagree"},
      {"locator elsewhere", with_zip64(zip64_end(1, 56, 44, 0)), "not where the locator"},
      {"locator wraps", with_zip64(zip64_end(1, 56, 44, ~uint64_t{0})), "not where the locator"},
      {"extensions", with_zip64(zip64_end(1, 56, 44, 100, 45)), "extensions"},
      {"exabyte directory",
       with_zip64(zip64_end(1, uint64_t{1} << 60, 44), [](ArchiveEnd& e) { e.size = 0xffffffff; }),
       "does not end at"},
      {"directory wraps",
       with_zip64(zip64_end(1, 100, ~uint64_t{0}),
                  [](ArchiveEnd& e) { e.size = e.offset = 0xffffffff; }),
       "does not end at"},
      {"2^40 members",
       with_zip64(zip64_end(uint64_t{1} << 40, 56, 44), [](ArchiveEnd& e) { e.members = 0xffff; }),
       "members are announced"},
      {"sentinel without records", ended([](ArchiveEnd& e) { e.offset = 0xffffffff; }),
       "does not end at"},
  });
}

// An archive with a deflated member of 3 compressed and 10 uncompressed bytes, after `change`.
std::string with_deflated(
    const std::string& name, const std::function<void(Member&)>& change = [](Member&) {}) {
  Member member(name, "abc");
  member.method = 8;
  member.size = member.local_size = 10;
  change(member);
  return archive_of({{"a/data.pkl", "\x80\x02N."}, member, {"a/version", "3"}});
}

// PyTorch deflates the source text of TorchScript. The reader skips such members and refuses all
// other compressed ones.
TEST(PthZipAttacks, DeflatedSourceIsSteppedOver) {
  EXPECT_EQ(reason_of(with_deflated("a/code/__torch__/net.py")), "");
  const std::string code = "a/code/net.py";
  expect_refused({
      {"elsewhere", with_deflated("a/data/0"), "compressed (method 8)"},
      {"a folder of a similar name", with_deflated("a/codes/net.py"), "compressed (method 8)"},
      {"further down", with_deflated("a/data/code/0"), "compressed (method 8)"},
      {"the top folder", with_deflated("code/net.py"), "compressed (method 8)"},
      {"another method", with_deflated(code, [](Member& m) { m.method = 12; }),
       "compressed (method 12)"},
      {"another method in the local header",
       with_deflated(code, [](Member& m) { m.local_method = 0; }), "disagree in flags or method"},
      {"two packed sizes", with_deflated(code, [](Member& m) { m.local_packed = 4; }),
       "disagree in size or CRC"},
      {"two sizes", with_deflated(code, [](Member& m) { m.local_size = 11; }),
       "disagree in size or CRC"},
      {"reaching into the next member",
       with_deflated(code, [](Member& m) { m.packed = m.local_packed = 4; }), "overlaps"},
      {"reaching beyond the file",
       with_deflated(code, [](Member& m) { m.packed = m.local_packed = 4000; }),
       "reach into the central directory"},
  });
}

TEST(PthZipAttacks, Members) {
  expect_refused({
      {"deflated", changed([](Member& m) { m.method = 8; }), "compressed (method 8)"},
      {"deflated in the local header", changed([](Member& m) { m.local_method = 8; }),
       "disagree in flags or method"},
      {"encrypted", changed([](Member& m) { m.flags = 1; }), "encrypted"},
      {"encrypted in the local header", changed([](Member& m) { m.local_flags = 1; }),
       "disagree in flags or method"},
      {"strongly encrypted", changed([](Member& m) { m.flags = 0x40; }), "flags 0x0040"},
      {"masked headers", changed([](Member& m) { m.flags = 0x2000; }), "flags 0x2000"},
      {"names disagree", changed([](Member& m) { m.local_name = "a/data/1"; }),
       "disagree in the name"},
      {"local size", changed([](Member& m) { m.local_size = 7; }), "disagree in size or CRC"},
      {"local packed size", changed([](Member& m) { m.local_packed = 7; }),
       "disagree in size or CRC"},
      {"local CRC", changed([](Member& m) { m.local_crc = 7; }), "disagree in size or CRC"},
      {"no local sizes and no descriptor",
       changed([](Member& m) { m.local_size = m.local_packed = m.local_crc = 0; }),
       "disagree in size or CRC"},
      {"sizes differ", changed([](Member& m) { m.packed = 7; }), "two sizes differ"},
      {"too large",
       changed([](Member& m) { m.size = m.packed = m.local_size = m.local_packed = 999; }),
       "reach into the central directory"},
      {"too small",
       changed([](Member& m) { m.size = m.packed = m.local_size = m.local_packed = 7; }),
       "belong to no member"},
      {"missing descriptor", changed([](Member& m) { m.flags = 8; }), "lacks its data descriptor"},
      {"wrong descriptor", changed([](Member& m) {
         m.flags = 8;
         m.descriptor = descriptor(crc_of(m.data), 9);
       }),
       "data descriptor and its central header disagree"},
      {"unannounced descriptor",
       changed([](Member& m) { m.descriptor = descriptor(crc_of(m.data), 8); }),
       "belong to no member"},
      {"member comment", changed([](Member& m) { m.comment = "x"; }), "comment"},
      {"one local header twice", changed([](Member& m) { m.offset = 0; }), "overlaps"},
      {"local header inside a member", changed([](Member& m) { m.offset = 20; }), "overlaps"},
      {"local header beyond", changed([](Member& m) { m.offset = 0xfffffff0; }), "gap"},
      {"sentinel offset without zip64", changed([](Member& m) { m.offset = 0xffffffff; }),
       "lacks its zip64"},
      {"zip64 that nothing asks for",
       changed([](Member& m) { m.extra = extra(1, le<uint64_t>(8)); }), "no field refers to"},
      {"two zip64 fields",
       changed([](Member& m) { m.extra = extra(1, "") + extra(1, le<uint64_t>(8)); }),
       "extra field of kind 0x0001"},
      {"local zip64 disagrees",
       changed([](Member& m) { m.local_extra = extra(1, le<uint64_t>(9)); }), "zip64 values"},
      {"local zip64 without a packed size",
       changed([](Member& m) { m.local_extra = extra(1, le<uint64_t>(8) + le<uint64_t>(0)); }),
       "zip64 values"},
      {"local zip64 cut", changed([](Member& m) { m.local_extra = extra(1, "1234"); }),
       "zip64 values"},
      {"unicode path", changed([](Member& m) { m.extra = extra(0x7075, "xxxxxa/data.pkl"); }),
       "kind 0x7075"},
      {"extra field cut",
       changed([](Member& m) { m.extra = le<uint16_t>(0x4246) + le<uint16_t>(9); }),
       "extra fields"},
      {"extra of three bytes", changed([](Member& m) { m.local_extra = "FB\x01"; }),
       "extra fields"},
  });
}

TEST(PthZipAttacks, Names) {
  const auto named = [](const std::string& name) {
    return changed([&](Member& m) { m.name = name; });
  };
  expect_refused({
      {"absolute", named("/etc/passwd"), "absolute"},
      {"parent", named("a/../b"), ". or .."},
      {"parent at the top", named("../a/b"), ". or .."},
      {"current", named("a/./b"), ". or .."},
      {"folder", named("a/data/"), "a folder"},
      {"double slash", named("a//data"), "a folder"},
      {"empty", named(""), "a folder"},
      {"backslash", named("a\\..\\b"), "backslash"},
      {"zero byte", named(std::string("a/data\0.pkl", 11)), "control character"},
      {"escape sequence", named("a/\x1b[2J"), "control character"},
      {"duplicate", named("a/data.pkl"), "two members are named"},
      {"no top folder", named("data"), "not inside a top folder"},
      {"other top folder", named("b/data/0"), "not inside the top folder"},
  });
}

// Attacks on the legacy container.

const std::string kMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);

struct Legacy {
  std::string protocol = "\x80\x02M\xe9\x03.";
  std::string machine = "\x80\x02}" + text_op("little_endian") + "\x88s.";
  std::string object = "\x80\x02" + tensor_of(storage("FloatStorage", "k", 2), 0, {2}, {1}) + ".";
  std::string keys = "\x80\x02](" + text_op("k") + "e.";
  std::string storages = le<int64_t>(2) + "12345678";
  std::string file() const { return kMagic + protocol + machine + object + keys + storages; }
};

std::string legacy(const std::function<void(Legacy&)>& change) {
  Legacy parts;
  change(parts);
  return parts.file();
}

TEST(PthLegacyAttacks, EachIsRefusedAndTheRuleIsNamed) {
  EXPECT_EQ(reason_of(Legacy().file()), "");
  const std::string two = "\x80\x02](" + text_op("k") + text_op("k") + "e.";
  expect_refused({
      {"magic alone", kMagic, "ends before STOP"},
      {"protocol 1000", legacy([](Legacy& l) { l.protocol = "\x80\x02M\xe8\x03."; }), "not 1001"},
      {"big-endian",
       legacy([](Legacy& l) { l.machine = "\x80\x02}" + text_op("little_endian") + "\x89s."; }),
       "big-endian"},
      {"no byte order", legacy([](Legacy& l) { l.machine = "\x80\x02}."; }), "not recorded"},
      {"facts are no dict", legacy([](Legacy& l) { l.machine = "\x80\x02N."; }), "not recorded"},
      {"facts call",
       legacy([](Legacy& l) { l.machine = "\x80\x02" + global("os", "system") + "."; }),
       "\"os.system\" is not allowed"},
      {"facts hold a tensor", legacy([](Legacy& l) {
         l.machine = "\x80\x02}" + text_op("little_endian") + "\x88s" + text_op("x") +
                     tensor_of(storage("FloatStorage", "k", 2), 0, {2}, {1}) + "s.";
       }),
       "contains a storage"},
      {"object calls",
       legacy([](Legacy& l) { l.object = "\x80\x02" + global("os", "system") + "."; }),
       "\"os.system\" is not allowed"},
      {"unknown key", legacy([](Legacy& l) { l.keys = "\x80\x02](" + text_op("x") + "e."; }),
       "belongs to no tensor"},
      {"key that is no text", legacy([](Legacy& l) {
         l.keys =
             "\x80\x02](K\x01"
             "e.";
       }),
       "without a name"},
      {"no keys", legacy([](Legacy& l) { l.keys = "\x80\x02]."; }), "each storage once"},
      {"keys are no list", legacy([](Legacy& l) { l.keys = "\x80\x02}."; }), "each storage once"},
      {"key twice", legacy([&](Legacy& l) { l.keys = two; }), "each storage once"},
      {"fewer elements", legacy([](Legacy& l) { l.storages = le<int64_t>(1) + "1234"; }),
       "its tensors say 2"},
      {"2^63 elements",
       legacy([](Legacy& l) { l.storages = le<uint64_t>(uint64_t{1} << 63).append("12345678"); }),
       "its tensors say 2"},
      {"exabytes", legacy([](Legacy& l) {
         l.object = "\x80\x02" +
                    tensor_of(storage("FloatStorage", "k", int64_t{1} << 58), 0, {2}, {1}) + ".";
         l.storages = le<int64_t>(int64_t{1} << 58);
       }),
       "the file is truncated"},
      {"bytes overflow", legacy([](Legacy& l) {
         l.object = "\x80\x02" +
                    tensor_of(storage("FloatStorage", "k", int64_t{1} << 62), 0, {2}, {1}) + ".";
         l.storages = le<int64_t>(int64_t{1} << 62);
       }),
       "overflows"},
      {"no count", legacy([](Legacy& l) { l.storages = "1234"; }), "the file is truncated"},
      {"cut storage", legacy([](Legacy& l) { l.storages.pop_back(); }), "the file is truncated"},
      {"appended", legacy([](Legacy& l) { l.storages += "x"; }), "bytes follow the last storage"},
  });
}

}  // namespace
}  // namespace fcm::formats
