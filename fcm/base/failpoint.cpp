#include "fcm/base/failpoint.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::failpoint {
namespace {

enum class Action { kKill, kError, kShort, kDelay };

struct Spec {
  std::string name;
  int64_t nth = 0;
  bool and_all_after = false;
  Action action = Action::kKill;
  int number = 0;  // errno, or milliseconds
  int64_t hits = 0;
};

struct Shared {
  std::mutex mutex;
  std::vector<Spec> specs;
  std::function<void(const Call&)> observer;
};

Shared& shared() {
  static Shared state;
  return state;
}

constexpr std::array<std::pair<std::string_view, int>, 6> kErrors = {{{"ENOSPC", ENOSPC},
                                                                      {"EIO", EIO},
                                                                      {"EDQUOT", EDQUOT},
                                                                      {"EACCES", EACCES},
                                                                      {"EINTR", EINTR},
                                                                      {"EINVAL", EINVAL}}};

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 0;
}

bool read_action(std::string_view text, Spec& spec) {
  if (text == "kill") return true;
  if (text == "short") {
    spec.action = Action::kShort;
    return true;
  }
  if (text.starts_with("delay-")) {
    spec.action = Action::kDelay;
    return read_number(text.substr(6), spec.number);
  }
  for (const auto& [name, number] : kErrors) {
    if (text != name) continue;
    spec.action = Action::kError;
    spec.number = number;
    return !(number == EINTR && spec.and_all_after);  // would be retried forever
  }
  return false;
}

bool read_spec(std::string_view text, Spec& spec) {
  const size_t first = text.find(':');
  const size_t second = text.find(':', first == std::string_view::npos ? first : first + 1);
  if (first == 0 || second == std::string_view::npos) return false;
  spec.name = text.substr(0, first);
  std::string_view nth = text.substr(first + 1, second - first - 1);
  spec.and_all_after = nth.ends_with('+');
  if (spec.and_all_after) nth.remove_suffix(1);
  return read_number(nth, spec.nth) && read_action(text.substr(second + 1), spec);
}

bool matches(const std::string& name, const Call& call, bool before) {
  if (name == "any") return true;
  const std::string point =
      fmt::format("{}.{}.{}", call.who, call.call, before ? "before" : "after");
  return point.starts_with(name) && (point.size() == name.size() || point[name.size()] == '.');
}

void set_active(const Shared& state) {
  detail::active.store(!state.specs.empty() || state.observer, std::memory_order_relaxed);
}

void replace_specs(std::vector<Spec> specs) {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  state.specs = std::move(specs);
  set_active(state);
}

// Counts a hit for every matching spec and returns the first spec that fires.
std::optional<Spec> firing(const Call& call, bool before) {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  std::optional<Spec> result;
  for (Spec& spec : state.specs) {
    if (!matches(spec.name, call, before)) continue;
    ++spec.hits;
    const bool fires =
        spec.nth > 0 && (spec.hits == spec.nth || (spec.and_all_after && spec.hits > spec.nth));
    if (fires && !result) result = spec;
  }
  return result;
}

}  // namespace

void arm(const std::string& text) {
  std::vector<Spec> specs;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (!read_spec(std::string_view(text).substr(begin, end - begin), specs.emplace_back())) {
      fail(ExitCode::kUsage,
           "failpoint \"{}\" is not name:nth:action; try checkpoint.write:3:ENOSPC or "
           "checkpoint:17:kill",
           text);
    }
    begin = end + 1;
  }
  replace_specs(std::move(specs));
}

void disarm() { replace_specs({}); }

int64_t hits() {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  return state.specs.empty() ? 0 : state.specs.front().hits;
}

void observe(std::function<void(const Call&)> observer) {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  state.observer = std::move(observer);
  set_active(state);
}

namespace detail {

std::atomic<bool> active{false};

Fault pass(const Call& call, bool before) {
  const std::optional<Spec> spec = firing(call, before);
  if (!spec) return {};
  switch (spec->action) {
    case Action::kKill:
      ::kill(::getpid(), SIGKILL);
      while (true) ::pause();
    case Action::kDelay:
      std::this_thread::sleep_for(std::chrono::milliseconds(spec->number));
      return {};
    case Action::kShort:
      return {.error = 0, .shorten = true};
    case Action::kError:
      return {.error = spec->number, .shorten = false};
  }
  return {};
}

void report_success(const Call& call) {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  if (state.observer) state.observer(call);
}

}  // namespace detail
}  // namespace fcm::failpoint
