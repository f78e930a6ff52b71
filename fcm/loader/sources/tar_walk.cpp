#include "fcm/loader/sources/tar_walk.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "fcm/base/content.h"
#include "fcm/base/error.h"
#include "fcm/loader/sources/tar_header.h"

namespace fcm::loader {
namespace {

constexpr uint64_t kMostExtended = 1 << 20;         // bytes of a pax header or a long name
constexpr uint64_t kMostPadding = 1 << 20;          // padding; tar writes about 10 KB at most
constexpr uint64_t kMostOctal = uint64_t{1} << 33;  // sizes below it fit in ustar's field

// Reads 4096 bytes at a time: one read often covers a header, a label and the next header.
class Blocks {
 public:
  explicit Blocks(const RandomAccessFile& file) : file_(file) {}

  std::span<const uint8_t, kTarBlock> at(uint64_t offset) {
    if (offset > file_.size() || file_.size() - offset < kTarBlock) {
      fail(ExitCode::kData, "the archive ends inside a block: it is truncated");
    }
    if (offset < begin_ || offset + kTarBlock > begin_ + filled_) {
      begin_ = offset;
      filled_ = std::min<uint64_t>(ahead_.size(), file_.size() - offset);
      file_.read(offset, std::span(ahead_).first(filled_));
    }
    return std::span<const uint8_t, kTarBlock>(ahead_.data() + (offset - begin_), kTarBlock);
  }

 private:
  const RandomAccessFile& file_;
  std::array<uint8_t, 4096> ahead_{};
  uint64_t begin_ = 0, filled_ = 0;
};

std::string name_fault(const std::string& name) {
  if (name.starts_with('/')) return "its name is absolute";
  if (name.find('\0') != std::string::npos) return "its name contains a NUL";
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    if (name.compare(begin, end - begin, "..") == 0) return "its name leads out of the archive";
    begin = end + 1;
  }
  return {};
}

std::string type_fault(char type) {
  switch (type) {
    case '0':
    case '7':  // contiguous file; POSIX: treat as '0' if not supported
      return {};
    case '1':
      return "it is a hard link";
    case '2':
      return "it is a symbolic link";
    case '3':
    case '4':
      return "it is a device";
    case '6':
      return "it is a pipe";
    default:
      fail(ExitCode::kData, "a member has type '{}' (byte {:02x}), which cannot be read in place",
           type >= ' ' && type <= '~' ? type : '?', static_cast<uint8_t>(type));
  }
}

class Walk {
 public:
  Walk(const RandomAccessFile& file, const std::function<void(const TarMember&)>& member)
      : file_(file), blocks_(file), member_(member) {}

  bool run() {
    try {
      while (!at_bare_end()) {
        if (step()) continue;
        check_end();
        return true;
      }
      return false;
    } catch (const Error& error) {
      if (at_ == 0) refuse_other_kind();
      fail(error.code(), "{}: damaged or hostile tar, at byte {}: {}", file_.path().string(), at_,
           error.what());
    }
  }

 private:
  // Whether the file ends here, after a complete member.
  bool at_bare_end() const { return at_ > 0 && at_ == file_.size() && !pax_ && !long_name_; }

  // Throws an error that names the kind of the file, if its first bytes identify it.
  void refuse_other_kind() const {
    std::string begin(std::min<uint64_t>(file_.size(), kContentBytes), '\0');
    file_.read(0, {reinterpret_cast<uint8_t*>(begin.data()), begin.size()});
    const std::string kind = content_kind(begin);
    if (kind.empty() || kind == "a tar archive" || kind.starts_with("text that")) return;
    fail(ExitCode::kData, "{} is not a tar archive but {}", file_.path().string(), kind);
  }

  // Reads one header and its member or extension; returns false at the end mark.
  bool step() {
    const auto block = blocks_.at(at_);
    if (is_zero(block)) {
      if (pax_ || long_name_) fail(ExitCode::kData, "an extended header has no member");
      return false;
    }
    TarHeader header = parse_tar_header(block);
    const uint64_t begin = at_ + kTarBlock;
    if (!take_extended(header, begin)) take_member(header, begin);
    // No overflow: sizes are below 2^62 and have passed check_fits.
    at_ = begin + (header.size + kTarBlock - 1) / kTarBlock * kTarBlock;
    return true;
  }

  void check_fits(uint64_t begin, uint64_t size) const {
    const uint64_t padded = (size + kTarBlock - 1) / kTarBlock * kTarBlock;
    if (padded > file_.size() - begin) {
      fail(ExitCode::kData, "a member of {} bytes runs past the end of the archive", size);
    }
  }

  std::string extended_text(const TarHeader& header, uint64_t begin) const {
    if (header.size > kMostExtended) {
      fail(ExitCode::kData, "an extended header of {} bytes is too large", header.size);
    }
    check_fits(begin, header.size);
    std::string text(header.size, '\0');
    file_.read(begin, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
    return text;
  }

  // Reads a header that describes the next member, all members or the archive. Returns false for
  // the header of a member.
  bool take_extended(const TarHeader& header, uint64_t begin) {
    switch (header.type) {
      case 'x':
        if (pax_) fail(ExitCode::kData, "two pax headers for one member");
        pax_ = parse_pax(extended_text(header, begin));
        return true;
      case 'g': {
        const PaxRecords everywhere = parse_pax(extended_text(header, begin));
        if (everywhere.path || everywhere.size || everywhere.sparse) {
          fail(ExitCode::kData, "a global header gives all members one name or size");
        }
        return true;
      }
      case 'L':
        if (long_name_) fail(ExitCode::kData, "two long names for one member");
        long_name_ = extended_text(header, begin);
        long_name_->resize(strnlen(long_name_->data(), long_name_->size()));
        return true;
      case 'K':  // long target of a link
      case 'V':  // volume label
        extended_text(header, begin);
        return true;
      default:
        return false;
    }
  }

  void take_member(TarHeader& header, uint64_t begin) {
    if (pax_ && pax_->size) {
      // Both sizes must agree, unless the header's field is too small for the size.
      if (*pax_->size != header.size && *pax_->size < kMostOctal) {
        fail(ExitCode::kData, "a member has {} bytes by its pax record, {} by its header",
             *pax_->size, header.size);
      }
      header.size = *pax_->size;
    }
    if (long_name_) header.name = *long_name_;
    if (pax_ && pax_->path) header.name = *pax_->path;
    const bool sparse = pax_ && pax_->sparse;
    pax_.reset();
    long_name_.reset();
    check_fits(begin, header.size);
    // In v7 archives a folder is a file whose name ends in a slash.
    if (header.type == '5' || (header.type == '0' && header.name.ends_with('/'))) {
      if (header.size != 0) fail(ExitCode::kData, "a folder of {} bytes (expected 0)", header.size);
      return;
    }
    TarMember member{header.name, begin, header.size, type_fault(header.type)};
    if (!member.fault.empty() && header.size != 0) {
      fail(ExitCode::kData, "a link or device of {} bytes (expected 0)", header.size);
    }
    while (member.name.starts_with("./")) member.name.erase(0, 2);
    if (sparse) member.fault = "it is a sparse file";
    if (const std::string fault = name_fault(member.name); !fault.empty()) member.fault = fault;
    member_(member);
  }

  void check_end() {
    const uint64_t at = at_ + kTarBlock;
    const uint64_t rest = file_.size() - at;
    if (rest >= kTarBlock && !is_zero(blocks_.at(at))) {
      fail(ExitCode::kData, "a zero block between members");
    }
    std::vector<uint8_t> padding(std::min(rest, kMostPadding));
    file_.read(at, padding);
    if (rest > kMostPadding || !is_zero(padding)) {
      fail(ExitCode::kData, "data follow the end mark; archives cannot be joined with cat");
    }
  }

  const RandomAccessFile& file_;
  Blocks blocks_;
  const std::function<void(const TarMember&)>& member_;
  uint64_t at_ = 0;
  std::optional<PaxRecords> pax_;
  std::optional<std::string> long_name_;
};

}  // namespace

bool walk_tar(const RandomAccessFile& file, const std::function<void(const TarMember&)>& member) {
  return Walk(file, member).run();
}

}  // namespace fcm::loader
