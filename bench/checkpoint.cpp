// Speed of reading and writing training state, compared with plain reading and copying of the same
// bytes.
#include "fcm/checkpoint/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/new_folders.h"
#include "fcm/base/process.h"
#include "fcm/base/stats.h"
#include "fcm/base/stopwatch.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/published.h"

namespace fcm::bench {
namespace {

namespace fs = std::filesystem;
using formats::TensorView;
using nlohmann::json;

constexpr int kRounds = 3;

// Weights and moments of a model whose tensors all have one shape, with at most as many elements as
// the largest tensor of the base model.
class State {
 public:
  explicit State(int64_t bytes) {
    constexpr int64_t kColumns = 64, kLargest = 36'864;  // rows: 9.4 MB a tensor
    const int64_t rows_in_all = std::max<int64_t>(bytes / 12 / kColumns, 1);
    const int64_t rows = std::min(rows_in_all, kLargest);
    const int64_t parameters = rows_in_all / rows;
    const auto elements = static_cast<size_t>(rows * kColumns);
    values_.resize(3 * elements * static_cast<size_t>(parameters));
    for (size_t i = 0; i < values_.size(); ++i) values_[i] = static_cast<float>(i % 8191) * 1e-3F;
    size_t place = 0;
    for (const char* prefix : {"", "exp_avg.", "exp_avg_sq."}) {
      for (int64_t i = 0; i < parameters; ++i, place += elements) {
        const auto bytes_of_it = std::as_bytes(std::span(values_).subspan(place, elements));
        auto& list = *prefix == '\0' ? model : moments;
        list.push_back({fmt::format("{}blocks3.{}.mlp.fc1.weight", prefix, i),
                        "F32",
                        {rows, kColumns},
                        bytes_of_it});
      }
    }
  }

  std::vector<TensorView> model, moments;

 private:
  std::vector<float> values_;
};

// A new folder; removed at the end with the files that this benchmark writes to it.
class Scratch {
 public:
  explicit Scratch(const fs::path& parent)
      : parents_(parent, ExitCode::kUsage), path_((parent / "fcm-bench-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) {
      fail(ExitCode::kUsage, "cannot create a folder in {}", parent.string());
    }
  }
  ~Scratch() {
    try {
      checkpoint::remove_checkpoints(native());
    } catch (const Error&) {
      // native() stays, and so does the folder around it; that folder also stays if it holds other
      // files
    }
    std::error_code ignored;
    for (const fs::path& path : {pth(), copy(), fs::path(path_)}) fs::remove(path, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  fs::path pth() const { return fs::path(path_) / "checkpoint.pth"; }
  fs::path copy() const { return fs::path(path_) / "copy"; }
  fs::path native() const { return fs::path(path_) / "native"; }

 private:
  NewFolders parents_;
  std::string path_;
};

// Reads every byte of a file through a buffer of the size that `cat` uses.
void read_through(const fs::path& path,
                  const std::function<void(std::span<const std::byte>)>& take) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<std::byte> buffer(128 << 10);
  while (true) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0) fail(ExitCode::kCheckpoint, "cannot read {}", path.string());
    if (count == 0) return;
    take(std::span(buffer).first(static_cast<size_t>(count)));
  }
}

void copy_and_sync(const fs::path& from, const fs::path& to) {
  FileWriter out(to, ExitCode::kCheckpoint, "checkpoint");
  read_through(from, [&](std::span<const std::byte> bytes) { out.write(bytes); });
  out.finish();
}

// Growth of the peak resident size during `action`, in bytes; null if the peak cannot be reset.
json peak_memory_of(const std::function<void()>& action) {
  const bool can_reset = reset_peak_resident();
  const double before = resident_bytes();
  action();
  return can_reset ? json(peak_resident_bytes() - before) : json();
}

class Timings {
 public:
  void time(const std::string& what, const std::function<void()>& action) {
    const Stopwatch watch;
    action();
    seconds_[what].push_back(watch.seconds());
  }
  double of(const std::string& what) const { return median(seconds_.at(what)); }

 private:
  std::map<std::string, std::vector<double>> seconds_;
};

}  // namespace

json bench_checkpoint(int64_t bytes, const fs::path& folder, Reporter& reporter) {
  const Scratch scratch(folder);
  const State state(bytes);
  const fs::path pth = scratch.pth(), native = scratch.native();
  reporter.info("bench checkpoint: nothing else should run on this machine now");
  Timings timings;
  json memory;
  for (int round = 0; round < kRounds; ++round) {
    timings.time("write.pth", [&] {
      interop::write_published(pth, {state.model, state.moments, {.steps = 1}, 0, {}, {}, {}, {}});
    });
    timings.time("write.native", [&] {
      checkpoint::save(native, round, state.model, state.moments, json::object(), {.keep_last = 1});
    });
    timings.time("write.copy", [&] { copy_and_sync(pth, scratch.copy()); });
    timings.time("read.cat", [&] { read_through(pth, [](std::span<const std::byte>) {}); });
    const json rise = peak_memory_of(
        [&] { timings.time("read.pth", [&] { interop::load_any(pth, true, reporter); }); });
    if (round == 0) memory = rise;  // later rounds reuse memory that the first one freed
    timings.time("read.native", [&] { interop::load_any(native, true, reporter); });
  }
  const double copy = timings.of("write.copy"), cat = timings.of("read.cat");
  const auto against = [&](const std::string& what, double plain) {
    return json{{"seconds", timings.of(what)}, {"ratio", timings.of(what) / plain}};
  };
  return {{"bytes", fs::file_size(pth)},
          {"rounds", kRounds},
          {"read",
           {{"cat", {{"seconds", cat}}},
            {"pth", against("read.pth", cat)},
            {"native", against("read.native", cat)}}},
          {"write",
           {{"copy_and_sync", {{"seconds", copy}}},
            {"pth", against("write.pth", copy)},
            {"native", against("write.native", copy)}}},
          {"pth_read_peak_memory_bytes", memory}};
}

}  // namespace fcm::bench
