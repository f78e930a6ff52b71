// Records the system calls of saves, and loads what a power failure leaves of their files.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/checkpoint/disk_model.h"
#include "tests/checkpoint/support.h"

namespace fcm::checkpoint {

struct Trace {
  std::vector<TracedCall> calls;
  std::vector<size_t> returned;  // for each save: the number of calls until it returned
};

class PowerLossTest : public TemporaryFolderTest {
 protected:
  PowerLossTest() : checkpoints_(folder_ / "c") { fs::create_directory(checkpoints_); }

  // Six saves: of steps 2, 4, 6, 8 and 10, then of step 10 again. With keep_last = 3 the saves of
  // steps 8 and 10 remove steps 2 and 4.
  static constexpr int64_t kSaves = 6;
  static int64_t step_of_save(int64_t save) { return std::min<int64_t>(10, 2 * save); }

  Trace record(const std::string& armed) const {
    Trace trace;
    failpoint::arm(armed);
    failpoint::observe([&](const failpoint::Call& call) {
      if (std::string(call.who) != "checkpoint") return;
      trace.calls.push_back(
          {call.call, call.path, call.target == nullptr ? "" : call.target,
           std::string(reinterpret_cast<const char*>(call.bytes.data()), call.bytes.size())});
    });
    for (int64_t number = 1; number <= kSaves; ++number) {
      SmallState small(step_of_save(number));
      small.state["save"] = number;
      save(checkpoints_, step_of_save(number), small.model(), small.optimizer(), small.state,
           {.keep_last = 3});
      trace.returned.push_back(trace.calls.size());
    }
    failpoint::observe({});
    failpoint::disarm();
    return trace;
  }

  // The number of the save that loads from the surviving files; 0: there is no checkpoint; -1:
  // loading warns or fails, or the tensors are damaged.
  int64_t surviving_save(const fs::path& place) const {
    RecordingReporter reporter;
    try {
      const auto found = load_newest(place, true, reporter);
      if (!reporter.warnings.empty()) return -1;
      if (!found) return 0;
      const SmallState small(found->step);
      const bool whole = same_tensors(found->model, small.model()) &&
                         same_tensors(found->optimizer, small.optimizer());
      return whole ? found->state.at("save").get<int64_t>() : -1;
    } catch (const Error&) {
      return -1;
    }
  }

  // Cuts the power after every call, in `variants` ways: three extremes, then random losses.
  // Returns the number of cases in which neither the last save that had returned (before the first
  // one: no checkpoint) nor the save in progress loads intact and without a warning.
  int64_t losses(const Trace& trace, int64_t& cases, uint64_t variants = 9,
                 uint64_t seed = 4) const {
    DiskModel disk(checkpoints_);
    int64_t lost = 0;
    int64_t promised = 0;
    for (size_t made = 0; made < trace.calls.size(); ++made) {
      disk.apply(trace.calls[made]);
      if (made + 1 == trace.returned[static_cast<size_t>(promised)]) ++promised;
      for (uint64_t variant = 0; variant < variants; ++variant) {
        const auto loss = static_cast<DiskModel::Loss>(std::min<uint64_t>(variant, 3));
        KeyedRandom random(seed, Purpose::kSynthetic, variant, made);
        const fs::path place = folder_ / "left";
        disk.materialise(place, loss, random);
        const int64_t survived = surviving_save(place);
        ++cases;
        if (survived < promised || survived > promised + 1) ++lost;
        fs::remove_all(place);
      }
    }
    return lost;
  }

  fs::path checkpoints_;
};

}  // namespace fcm::checkpoint
