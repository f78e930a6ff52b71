// Cases of tables: learning rates, positions, procedural values, drop path rates, states, inputs.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <bit>
#include <map>
#include <set>

#include "fcm/base/error.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/positions.h"
#include "fcm/optim/schedule.h"
#include "reference/procedural.h"
#include "tests/parity/cases.h"
#include "tests/parity/run.h"

namespace fcm::parity {
namespace {

// Each row has an epoch, the lr, and the lr of a group with the scale 0.65.
void schedule(CaseResult& result, const nlohmann::json& table) {
  for (const nlohmann::json& one : table.at("cases")) {
    optim::OptimOptions options;
    options.base_lr = one.at("blr").get<double>();
    options.batch_size = one.at("batch").get<int64_t>();
    options.warmup_epochs = one.at("warmup_epochs").get<double>();
    options.epochs = one.at("epochs").get<double>();
    options.min_lr = one.at("min_lr").get<double>();
    compare_number(result, "lr", options.lr(), one.at("lr").get<double>(), 1e-15);
    for (const nlohmann::json& row : one.at("rows")) {
      const auto epoch = row.at(0).get<double>();
      const double lr = optim::lr_at_epoch(options, epoch);
      const std::string name = fmt::format("lr at epoch {}", epoch);
      compare_number(result, name, lr, row.at(1).get<double>(), 1e-12);
      compare_number(result, name + ", scaled", 0.65 * lr, row.at(2).get<double>(), 1e-12);
    }
  }
}

// Compares position tables "sincos.d<D>.g<grid>[.cls]", or their ".idx", ".val" and ".sum".
void sincos(CaseResult& result, const Tensors& stored) {
  for (const auto& [name, wanted] : stored) {
    int64_t dim = 0, grid = 0;
    if (std::sscanf(name.c_str(), "sincos.d%ld.g%ld", &dim, &grid) != 2) {
      add_fault(result, name + " is stored, but this case does not know the name");
      continue;
    }
    const int64_t class_tokens = name.find(".cls") != std::string::npos ? 1 : 0;
    const at::Tensor table = nn::sincos_positions(grid, grid, dim, class_tokens);
    if (name.ends_with(".idx")) continue;
    if (name.ends_with(".sum")) {
      compare_number(result, name, table.to(at::kDouble).sum().item<double>(),
                     wanted.item<double>(), 1e-6);
    } else if (name.ends_with(".val")) {
      const at::Tensor& index = stored.at(name.substr(0, name.size() - 4) + ".idx");
      compare(result, name, table.flatten().index_select(0, index), wanted, 0x1p-23);
    } else {
      compare(result, name, table, wanted, 0x1p-23);  // libraries' sin and cos differ by rounding
    }
  }
}

uint32_t bits(const at::Tensor& x, int64_t i) {
  return std::bit_cast<uint32_t>(x.const_data_ptr<float>()[i]);
}

void procedural_table(CaseResult& result, const nlohmann::json& rows) {
  for (const nlohmann::json& row : rows) {
    const auto name = row.at("name").get<std::string>();
    const at::Tensor values = reference::procedural(name, row.at("seed").get<uint64_t>(),
                                                    row.at("shape").get<std::vector<int64_t>>());
    ++result.tensors;
    int64_t i = 0;
    for (const nlohmann::json& wanted : row.at("first4_hex")) {
      const std::string got = fmt::format("0x{:08x}", bits(values, i++));
      if (got != wanted.get<std::string>()) {
        add_fault(result, fmt::format("{}: value {} is {}, not {}", name, i - 1, got,
                                      wanted.get<std::string>()));
      }
    }
    compare_number(result, name + " last", values.flatten()[-1].item<double>(),
                   row.at("last").get<double>(), 1e-8);
    compare(result, name + " sum", values.to(at::kDouble).sum(),
            at::scalar_tensor(row.at("sum_f64").get<double>(), at::kDouble), 1e-9,
            static_cast<double>(values.numel()));
  }
}

// `table` maps "blocks1.0.drop_path" to a rate, in any order of names. A rate depends on the number
// of the block, which counts across stages.
void drop_path(CaseResult& result, const nlohmann::json& table) {
  std::map<std::pair<int, int>, double> rates;  // by stage and block, hence in block order
  for (const auto& [name, rate] : table.items()) {
    int stage = 0, block = 0;
    const bool staged = std::sscanf(name.c_str(), "blocks%d.%d.", &stage, &block) == 2;
    if (!staged && std::sscanf(name.c_str(), "blocks.%d.", &block) != 1) {
      add_fault(result, name + " is stored, but this case does not know the name");
      continue;
    }
    rates[{stage, block}] = rate.get<double>();
  }
  const std::vector<double> ours =
      nn::drop_path_rates(rates.rbegin()->second, static_cast<int64_t>(rates.size()));
  size_t i = 0;
  for (const auto& [place, wanted] : rates) {
    compare_number(result, fmt::format("blocks{}.{}", place.first, place.second), ours[i++], wanted,
                   1e-9);
  }
}

// Compares stored weights with the procedural values of their names and seed.
void state(CaseResult& result, const Entry& entry) {
  const PublishedModel model = published_model(entry.about);
  const Tensors stored = read_tensors(entry.path());
  Entry without_file = entry;  // without the file, values are computed instead of read
  without_file.file = "none";
  const NamesAndShapes names = parameters_of(model);
  const Inputs inputs = make_inputs(without_file, model, names, {});
  std::set<std::string> known;
  for (const auto& [name, shape] : names) {
    known.insert(name);
    const auto found = stored.find(name);
    if (found == stored.end()) {
      add_fault(result, name + " is not stored");
    } else if (name.ends_with("pos_embed")) {
      compare(result, name, inputs.weights.at(name), found->second, 0x1p-23);
    } else {
      compare_exactly(result, name, inputs.weights.at(name), found->second);
    }
  }
  for (const auto& [name, tensor] : stored) {
    if (!known.contains(name)) add_fault(result, name + " is stored, but not a parameter here");
  }
}

// Only the name of the file has the seed: "inputs_seed11_n2_224" has seed 11.
void inputs(CaseResult& result, const Entry& entry) {
  unsigned long seed = 0;
  require(std::sscanf(entry.stem().c_str(), "inputs_seed%lu", &seed) == 1,
          "{} does not name its seed", entry.file);
  for (const auto& [name, wanted] : read_tensors(entry.path())) {
    compare_exactly(result, name, reference::procedural(name, seed, wanted.sizes().vec()), wanted);
  }
}

}  // namespace

std::vector<CaseResult> table_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  add_case(results, request, entry.file, [&](CaseResult& result) {
    const std::string kind = entry.kind();
    if (kind == "schedule") return schedule(result, read_json(entry.path()));
    if (kind == "sincos") return sincos(result, read_tensors(entry.path()));
    if (kind == "procedural-table") return procedural_table(result, read_json(entry.path()));
    if (kind == "drop-path") return drop_path(result, read_json(entry.path()));
    if (kind == "state") return state(result, entry);
    inputs(result, entry);
  });
  return results;
}

}  // namespace fcm::parity
