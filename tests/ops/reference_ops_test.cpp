// Under ReferenceOps every operator gives the bits of its reference and runs no kernel: a
// deliberately wrong kernel has no effect.
#include "fcm/ops/reference_ops.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "fcm/ops/gelu/kernel.h"
#include "fcm/ops/gelu/op.h"
#include "tests/ops/op_case_list.h"
#include "tests/support/compare.h"
#include "tests/support/op_case_results.h"

namespace fcm::ops {
namespace {

using test::Results;

bool same(const Results& one, const Results& other) {
  bool equal = test::same_bits(one.forward, other.forward);
  for (size_t i = 0; i < one.gradients.size(); ++i) {
    if (one.gradients[i].defined() || other.gradients[i].defined()) {
      equal = equal && test::same_bits(one.gradients[i], other.gradients[i]);
    }
  }
  return equal;
}

// Evaluates the reference of a case in `dtype`; other tests evaluate references in float64.
Results reference_of(const NamedCase& named, at::ScalarType dtype) {
  return test::evaluate(named.op_case.reference, test::leaves(named.op_case.inputs(dtype, 1)),
                        dtype);
}

TEST(ReferenceOps, EveryOperatorHasTheBitsOfItsReference) {
  const test::OneThread one_thread;
  int differ_without = 0;
  for (const NamedCase& named : cases_to_compare()) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const Results expected = reference_of(named, dtype);
      differ_without += !same(test::own_results(named.op_case, dtype), expected);
      const ReferenceOps reference;
      EXPECT_TRUE(same(test::own_results(named.op_case, dtype), expected))
          << named.op << " " << named.op_case.name << " in " << c10::toString(dtype);
    }
  }
  EXPECT_GT(differ_without, 50);  // without ReferenceOps, kernels sum in another order
}

// Replaces gelu's float32 forward pass in the kernel tables of all instruction sets.
class WrongGelu {
 public:
  WrongGelu() {
    for (size_t i = 0; i < tables_.size(); ++i) {
      GeluKernels& table = writable(*tables_[i]);
      before_[i] = table.forward_float;
      table.forward_float = [](const float*, float* y, int64_t count) {
        for (int64_t place = 0; place < count; ++place) y[place] = 7;
      };
    }
  }
  ~WrongGelu() {
    for (size_t i = 0; i < tables_.size(); ++i) writable(*tables_[i]).forward_float = before_[i];
  }
  WrongGelu(const WrongGelu&) = delete;
  WrongGelu& operator=(const WrongGelu&) = delete;

 private:
  // The tables are constants in read-only memory, so their page is made writable.
  static GeluKernels& writable(const GeluKernels& table) {
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto place = reinterpret_cast<uintptr_t>(&table);
    const uintptr_t first = place / page * page;
    const int status = ::mprotect(reinterpret_cast<void*>(first), place + sizeof table - first,
                                  PROT_READ | PROT_WRITE);
    EXPECT_EQ(status, 0);
    return const_cast<GeluKernels&>(table);
  }

  std::array<const GeluKernels*, 4> tables_ = {&gelu_plain, &gelu_avx2, &gelu_avx512, &gelu_amx};
  std::array<decltype(GeluKernels::forward_float), 4> before_{};
};

TEST(ReferenceOps, AWrongKernelIsNotSeen) {
  const at::Tensor x = test::fixed_normal({5, 40}, 1).to(at::kFloat);
  const at::Tensor right = ops::gelu(x);
  const auto is_right = [&] { return test::compare(ops::gelu(x), right, 2e-6).first_bad < 0; };
  {
    const WrongGelu planted;
    EXPECT_FALSE(is_right());  // outside of ReferenceOps the wrong kernel has an effect
    const ReferenceOps reference;
    EXPECT_TRUE(is_right());
  }
  EXPECT_TRUE(is_right());
}

TEST(ReferenceOps, LastAsLongAsTheyLiveAndForTheirThread) {
  EXPECT_FALSE(reference_ops());
  {
    const ReferenceOps outer;
    {
      const ReferenceOps inner(/*wanted=*/false);
      EXPECT_TRUE(reference_ops());
    }
    EXPECT_TRUE(reference_ops());
    bool elsewhere = true;
    std::thread([&] { elsewhere = reference_ops(); }).join();
    EXPECT_FALSE(elsewhere);
  }
  EXPECT_FALSE(reference_ops());
  const ReferenceOps unwanted(/*wanted=*/false);
  EXPECT_FALSE(reference_ops());
}

}  // namespace
}  // namespace fcm::ops
