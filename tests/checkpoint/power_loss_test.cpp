// G3: the power fails after any call of any save. Whatever the disk kept of what was not synced, a
// checkpoint loads that is at least as new as the last save that returned.
#include "tests/checkpoint/disk_model.h"
#include "tests/checkpoint/support.h"

namespace fcm::checkpoint {
namespace {

struct Trace {
  std::vector<TracedCall> calls;
  std::vector<size_t> returned;  // calls made when each save returned
};

class PowerLossTest : public TemporaryFolderTest {
 protected:
  PowerLossTest() : checkpoints_(folder_ / "c") { fs::create_directory(checkpoints_); }

  // Saves of 2, 4, .., 10, of which the last remove the first; then 10 once more.
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

  // Which save loads from what is left; 0: none. Warnings and damage are failures.
  int64_t surviving_save(const fs::path& place) const {
    KeepingReporter reporter;
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

  // Cuts the power after every call, in every way. Returns in how many cases something was lost
  // that a save had promised.
  int64_t losses(const Trace& trace, int64_t& cases) const {
    DiskModel disk(checkpoints_);
    int64_t lost = 0;
    int64_t promised = 0;
    for (size_t made = 0; made < trace.calls.size(); ++made) {
      disk.apply(trace.calls[made]);
      if (made + 1 == trace.returned[static_cast<size_t>(promised)]) ++promised;
      for (uint64_t variant = 0; variant < 9; ++variant) {
        const auto loss = static_cast<DiskModel::Loss>(std::min<uint64_t>(variant, 3));
        KeyedRandom random(4, Purpose::kSynthetic, variant, made);
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

TEST_F(PowerLossTest, NothingPromisedIsLost) {
  int64_t cases = 0;
  EXPECT_EQ(losses(record("checkpoint:0:kill"), cases), 0);
  EXPECT_GT(cases, 1400);
}

TEST_F(PowerLossTest, NorWhereNamesCannotBeSwapped) {
  int64_t cases = 0;
  EXPECT_EQ(losses(record("checkpoint.exchange.before:1+:EINVAL"), cases), 0);
  EXPECT_GT(cases, 1400);
}

TEST_F(PowerLossTest, TheModelMissesEverySyncThatIsLeftOut) {
  const Trace trace = record("checkpoint:0:kill");
  const auto losses_without = [&](const std::function<bool(const TracedCall&)>& left_out) {
    Trace careless;
    for (size_t i = 0, save = 0; i < trace.calls.size(); ++i) {
      if (!(trace.calls[i].call == "fsync" && left_out(trace.calls[i]))) {
        careless.calls.push_back(trace.calls[i]);
      }
      if (i + 1 == trace.returned[save]) {
        careless.returned.push_back(careless.calls.size());
        ++save;
      }
    }
    EXPECT_LT(careless.calls.size(), trace.calls.size());
    int64_t cases = 0;
    return losses(careless, cases);
  };
  const auto name_is = [](const std::string& name) {
    return [name](const TracedCall& call) { return fs::path(call.path).filename() == name; };
  };
  EXPECT_GT(losses_without(name_is("model.safetensors")), 0);
  EXPECT_GT(losses_without(name_is("manifest.json")), 0);
  EXPECT_GT(losses_without(name_is("c")), 0);            // the folder of the checkpoints
  EXPECT_GT(losses_without([](const TracedCall& call) {  // the new folder
              return call.path.find(".tmp.") != std::string::npos &&
                     fs::path(call.path).extension() != ".json" &&
                     fs::path(call.path).extension() != ".safetensors";
            }),
            0);
}

}  // namespace
}  // namespace fcm::checkpoint
