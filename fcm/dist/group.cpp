#include "fcm/dist/group.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace fcm::dist {
namespace {

class Done final : public Pending {
 public:
  void wait() override {}
};

class GroupOfOne final : public Group {
 public:
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 1; }
  int64_t agree(int64_t mine, Agree how) override {
    const bool is_truth = how == Agree::kAny || how == Agree::kAll;
    return is_truth ? (mine != 0 ? 1 : 0) : mine;
  }
  std::unique_ptr<Pending> start_sum(const at::Tensor&) override {
    return std::make_unique<Done>();
  }
  std::unique_ptr<Pending> start_broadcast(const at::Tensor&, int64_t) override {
    return std::make_unique<Done>();
  }
  std::vector<at::Tensor> gather(const at::Tensor& mine) override { return {mine}; }
};

}  // namespace

at::Tensor Group::make_buffer(int64_t elements, const at::TensorOptions& options) {
  return at::zeros({elements}, options);
}

std::unique_ptr<Pending> Group::start_sum_of_part(const at::Tensor& values, Part /*mine*/) {
  return start_sum(values);
}

at::Tensor Group::make_shared_memory(int64_t /*elements*/, const at::TensorOptions& /*options*/) {
  return {};
}

std::shared_ptr<Group> group_of_one() { return std::make_shared<GroupOfOne>(); }

at::Tensor gather_rows(Group& group, const at::Tensor& rows) {
  if (group.size() == 1) return rows;
  const int64_t most = group.agree(rows.size(0), Agree::kMax);
  const at::Tensor counts = at::cat(group.gather(at::full({1}, rows.size(0), at::kLong)));
  std::vector<int64_t> shape = rows.sizes().vec();
  shape.front() = most;
  at::Tensor padded = at::zeros(shape, rows.options());
  padded.narrow(0, 0, rows.size(0)).copy_(rows);
  std::vector<at::Tensor> all = group.gather(padded);
  for (size_t rank = 0; rank < all.size(); ++rank) {
    all[rank] = all[rank].narrow(0, 0, counts.const_data_ptr<int64_t>()[rank]);
  }
  return at::cat(all);
}

std::vector<std::string> gather_texts(Group& group, const std::string& mine) {
  if (group.size() == 1) return {mine};
  const auto length = static_cast<int64_t>(mine.size());
  at::Tensor bytes = at::empty({length}, at::kByte);
  if (!mine.empty()) std::memcpy(bytes.mutable_data_ptr(), mine.data(), mine.size());
  const at::Tensor lengths = at::cat(group.gather(at::full({1}, length, at::kLong)));
  const at::Tensor together = gather_rows(group, bytes);
  const auto* next = static_cast<const char*>(together.const_data_ptr());
  std::vector<std::string> texts;
  for (int64_t rank = 0; rank < group.size(); ++rank) {
    const auto count = static_cast<size_t>(lengths.const_data_ptr<int64_t>()[rank]);
    texts.emplace_back(next, count);
    next += count;
  }
  return texts;
}

void on_first(Group& group, const std::function<void()>& work) {
  if (group.size() == 1) return work();
  std::optional<Error> error;
  if (group.rank() == 0) {
    try {
      work();
    } catch (const Error& thrown) {
      error = thrown;
    }
  }
  const auto code = static_cast<int>(error ? error->code() : ExitCode::kDone);
  const int64_t agreed = group.agree(code, Agree::kMax);
  if (agreed == 0) return;
  throw SharedError(static_cast<ExitCode>(agreed),
                    gather_texts(group, error ? error->what() : "").front());
}

}  // namespace fcm::dist
