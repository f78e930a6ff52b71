#include "fcm/loader/sources/index_cache.h"

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/checksum.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "fcm list 4\n";

fs::path file_of(const fs::path& cache, const std::string& key) {
  return cache / fmt::format("{:016x}.list", checksum(key));
}

std::string parse(std::string_view file, const std::string& key) {
  ByteReader in(file);
  if (in.raw(kMagic.size()) != kMagic) fail(ExitCode::kData, "another version");
  const auto sum = in.number<uint64_t>();
  const std::string_view rest = in.raw(in.left());
  if (checksum(rest) != sum) fail(ExitCode::kData, "damaged");
  ByteReader parts(rest);
  if (parts.text() != key) fail(ExitCode::kData, "of another set");
  return std::string(parts.raw(parts.left()));
}

}  // namespace

std::optional<std::string> read_index(const fs::path& cache, const std::string& key) {
  if (cache.empty()) return std::nullopt;
  try {
    return parse(read_file(file_of(cache, key), ExitCode::kData), key);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void write_index(const fs::path& cache, const std::string& key, std::string_view content) {
  if (cache.empty()) return;
  ByteWriter rest;
  rest.text(key);
  rest.raw(content);
  ByteWriter file;
  file.raw(kMagic);
  file.number(checksum(rest.bytes()));
  file.raw(rest.bytes());
  try {
    make_folders(cache, ExitCode::kData, "cache");
    write_file_durably(file_of(cache, key), file.bytes(), ExitCode::kData, "cache");
  } catch (const Error&) {  // full disk or no permission: the next start lists again
  }
}

void put(ByteWriter& out, const LeftOut& left_out) {
  const std::vector<LeftOut::Kind> kinds = left_out.kinds();
  out.number(static_cast<uint64_t>(kinds.size()));
  for (const LeftOut::Kind& kind : kinds) {
    out.text(kind.what);
    out.text(kind.example);
    out.number(kind.count);
  }
}

LeftOut take_left_out(ByteReader& in) {
  LeftOut left_out;
  for (auto kinds = in.number<uint64_t>(); kinds > 0; --kinds) {
    const std::string_view what = in.text(), example = in.text();
    left_out.add(what, example, in.number<int64_t>());
  }
  return left_out;
}

}  // namespace fcm::loader
