#include "fcm/base/cores.h"

#include <fmt/format.h>
#include <sched.h>

#include <fstream>
#include <map>
#include <string>

namespace fcm {
namespace {

constexpr int kMost = CPU_SETSIZE;

std::vector<int> usable_hyperthreads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> usable;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return usable;
  for (int number = 0; number < kMost; ++number) {
    if (CPU_ISSET(number, &set)) usable.push_back(number);
  }
  return usable;
}

}  // namespace

std::vector<std::vector<int>> physical_cores_from(const std::vector<int>& usable,
                                                  const std::filesystem::path& folder) {
  std::map<std::string, size_t> place;  // index in `cores`, by list of siblings
  std::vector<std::vector<int>> cores;
  for (const int number : usable) {
    std::ifstream file(folder / fmt::format("cpu{}/topology/thread_siblings_list", number));
    std::string siblings;
    if (!std::getline(file, siblings)) return {};
    const auto [found, is_new] = place.emplace(siblings, cores.size());
    if (is_new) cores.emplace_back();
    cores[found->second].push_back(number);
  }
  return cores;
}

std::vector<std::vector<int>> physical_cores() {
  return physical_cores_from(usable_hyperthreads(), "/sys/devices/system/cpu");
}

bool bind_to_hyperthread(int number) {
  if (number < 0 || number >= kMost) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(number, &set);
  return ::sched_setaffinity(0, sizeof(set), &set) == 0;
}

}  // namespace fcm
