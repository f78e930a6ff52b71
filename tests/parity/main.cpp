// parity: compares this program with stored results of the upstream programs.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/cublas_policy.h"
#include "apps/wait_policy.h"
#include "fcm/base/error.h"
#include "fcm/tasks/machine.h"
#include "tests/parity/cases.h"

namespace fcm::parity {
namespace {

struct Arguments {
  std::string fixtures;
  std::string filter;
  std::vector<std::string> except;
  bool json = false;
  bool allow_unknown = false;
  int threads = 0;
  std::string device = "cpu";
};

struct Totals {
  int passed = 0, failed = 0, unknown = 0;
};

void print_line(const CaseResult& result) {
  fmt::print(
      "{} {}: {} tensors; largest abs {:.2e} ({}), rel {:.2e} ({}); closest to its bound {} "
      "at {:.2f} of {:.2e}\n",
      result.passed() ? "pass" : "FAIL", result.name, result.tensors, result.max_abs,
      result.max_abs_at, result.max_rel, result.max_rel_at, result.worst_at, result.worst,
      result.tolerance);
  for (const std::string& fault : result.faults) fmt::print("     {}\n", fault);
  std::fflush(stdout);
}

nlohmann::json to_json(const CaseResult& result) {
  return {{"case", result.name},
          {"passed", result.passed()},
          {"tensors", result.tensors},
          {"max_abs", result.max_abs},
          {"max_abs_at", result.max_abs_at},
          {"max_rel", result.max_rel},
          {"max_rel_at", result.max_rel_at},
          {"share_of_bound", result.worst},
          {"bound", result.tolerance},
          {"bound_at", result.worst_at},
          {"faults", result.faults}};
}

int run(const Arguments& arguments) {
  if (arguments.threads > 0) at::set_num_threads(arguments.threads);
  Totals totals;
  nlohmann::json cases = nlohmann::json::array();
  const tasks::MachineOptions machine{arguments.device, at::get_num_threads(), {}};
  tasks::set_up_machine(machine);
  const Request request{arguments.filter, {}, tasks::device_of(machine)};
  for (const Entry& entry : find_entries(arguments.fixtures)) {
    const auto is_in_name = [&](const std::string& text) {
      return entry.file.find(text) != text.npos;
    };
    if (std::any_of(arguments.except.begin(), arguments.except.end(), is_in_name)) continue;
    if (!knows(entry)) {
      if (entry.file.find(arguments.filter) == std::string::npos) continue;
      ++totals.unknown;
      if (!arguments.json) {
        fmt::print("unknown {}: kind \"{}\"\n", entry.path().string(), entry.kind());
      }
      continue;
    }
    for (const CaseResult& result : run_cases(entry, request)) {
      ++(result.passed() ? totals.passed : totals.failed);
      if (arguments.json) {
        cases.push_back(to_json(result));
      } else {
        print_line(result);
      }
    }
  }
  if (arguments.json) {
    fmt::print("{}\n", nlohmann::json{{"cases", cases},
                                      {"passed", totals.passed},
                                      {"failed", totals.failed},
                                      {"unknown", totals.unknown}}
                           .dump(2));
  }
  fmt::print(arguments.json ? stderr : stdout, "{} passed, {} failed, {} unknown\n", totals.passed,
             totals.failed, totals.unknown);
  return totals.failed > 0 || (totals.unknown > 0 && !arguments.allow_unknown) ? 1 : 0;
}

int parity_main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Compares this program with stored results of the upstream programs.", "parity");
  app.add_option("--fixtures", arguments.fixtures,
                 "Folder with manifests; its subfolders are searched too")
      ->type_name("DIR")
      ->required();
  app.add_option("--filter", arguments.filter, "Run only cases whose name contains TEXT")
      ->type_name("TEXT");
  app.add_option("--except", arguments.except,
                 "Skip files whose name contains TEXT; may be repeated")
      ->type_name("TEXT");
  app.add_flag("--json", arguments.json, "Print all cases as JSON on stdout");
  app.add_flag("--allow-unknown", arguments.allow_unknown,
               "Exit with 0 even if files have kinds that this program does not know");
  app.add_option("--threads", arguments.threads, "Number of threads; 0: one per core")
      ->type_name("N");
  app.add_option(
         "--device", arguments.device,
         "cpu, cuda or cuda:N: the device of the fast path in cases of pretraining and of AdamW "
         "steps; everything else runs on the CPU")
      ->type_name("NAME");
  app.footer(
      "A case is a combination of a manifest's file, a path (the fast model or the reference) and\n"
      "a compute dtype.\n"
      "Exit status: 0 all cases passed; 1 a case failed, or a kind is unknown; 2 usage error.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "parity: {}; see parity --help\n", error.what());
    return static_cast<int>(ExitCode::kUsage);
  }
  try {
    return run(arguments);
  } catch (const Error& error) {
    fmt::print(stderr, "parity: {}\n", error.what());
    return static_cast<int>(error.code());
  }
}

}  // namespace
}  // namespace fcm::parity

int main(int argc, char** argv) {
  fcm::apps::set_cublas_workspace_config();
  fcm::apps::sleep_while_waiting(argv);
  return fcm::parity::parity_main(argc, argv);
}
