// The device of apart_device.h, and tests that run whole training steps on it. They find tensors
// that were left on the CPU by mistake.
#include "tests/emulator/apart_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fmt/format.h>
#include <torch/library.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "fcm/models/inputs.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/execution/queued_update.h"
#include "fcm/train/learners/forward_backward.h"
#include "fcm/train/learners/pretrain.h"
#include "tests/emulator/emulated.h"
#include "tests/train/small_model.h"

namespace fcm::test::emulator {
namespace {

std::atomic<int> forbidden_synchronisations = 0;

class HostMemory final : public c10::Allocator {
 public:
  at::DataPtr allocate(size_t bytes) override {
    void* memory = std::aligned_alloc(64, (bytes + 64) / 64 * 64);
    std::memset(memory, 0xff, bytes);  // NaN
    return {memory, memory, &std::free, kEmulatedDevice};
  }
  at::DeleterFnPtr raw_deleter() const override { return &std::free; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
};

HostMemory host_memory;

const c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

at::Tensor empty(at::IntArrayRef sizes, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>,
                 std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(sizes, &host_memory, kKeys, c10::dtype_or_default(dtype),
                                   format);
}

at::Tensor empty_strided(at::IntArrayRef sizes, at::IntArrayRef strides,
                         std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                         std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(sizes, strides, &host_memory, kKeys,
                                           c10::dtype_or_default(dtype));
}

// A CPU tensor that shares the memory of a tensor of the device.
at::Tensor on_cpu(const at::Tensor& x) {
  if (!x.is_privateuseone()) return x;
  return at::from_blob(x.data_ptr(), x.sizes(), x.strides(), at::TensorOptions(x.scalar_type()));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  if (forbidden_synchronisations > 0 && from.device() != to.device()) {
    throw DeviceViolation(
        fmt::format("a copy from {} to {}", from.device().str(), to.device().str()));
  }
  const at::NoGradGuard no_grad;
  on_cpu(to).copy_(on_cpu(from));
  return to;
}

at::Scalar read(const at::Tensor& x) {
  if (forbidden_synchronisations > 0) throw DeviceViolation("a value is read from the device");
  return on_cpu(x).item();
}

void check(const c10::OperatorHandle& op, const at::Tensor& x) {
  if (!x.defined() || x.is_privateuseone() || x.dim() == 0) return;  // scalars are passed by value
  throw DeviceViolation(fmt::format("{} mixes a CPU tensor with tensors of the device",
                                    op.schema().operator_name().name));
}

// Permits synchronisation for the copies of the CPU fallback.
struct Suspended {
  Suspended() : before(forbidden_synchronisations.exchange(0)) {}
  ~Suspended() { forbidden_synchronisations += before; }
  int before;
};

void run_on_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  for (const c10::IValue& argument : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (argument.isTensor()) check(op, argument.toTensor());
    if (argument.isTensorList()) {
      for (const at::Tensor& x : argument.toTensorVector()) check(op, x);
    }
  }
  const Suspended suspended;
  at::native::cpu_fallback(op, stack);
}

// `to` may be an empty output tensor, which is resized.
at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (to.sizes() != from.sizes()) {
    const at::Tensor larger = at::empty(from.sizes(), to.options());
    to.unsafeGetTensorImpl()->set_storage_keep_dtype(larger.storage());
    to.unsafeGetTensorImpl()->set_sizes_contiguous(from.sizes());
  }
  return copy_from(from, to, false);
}

// Autograd queries these hooks, because this is the only device besides the CPU.
struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

const bool registered = [] {
  static Hooks hooks;
  at::RegisterPrivateUse1HooksInterface(&hooks);
  c10::register_privateuse1_backend("apart");
  return true;
}();

// The device has one stream, and work is complete when the call returns.
struct Guard final : c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::PrivateUse1> {
  c10::Device getDevice() const override { return kEmulatedDevice; }
  c10::Device exchangeDevice(c10::Device) const override { return kEmulatedDevice; }
  c10::Stream getStream(c10::Device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, kEmulatedDevice);
  }
  c10::Stream getDefaultStream(c10::Device) const override {
    return c10::Stream(c10::Stream::DEFAULT, kEmulatedDevice);
  }
  c10::Stream exchangeStream(c10::Stream) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, kEmulatedDevice);
  }
  void record(void**, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_cpu>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", &empty);
  m.impl("empty_strided", &empty_strided);
  m.impl("as_strided", &at::native::as_strided_tensorimpl);
  m.impl("view", &at::native::view);
  m.impl("_reshape_alias", &at::native::_reshape_alias);
  m.impl("_copy_from", &copy_from);
  m.impl("_copy_from_and_resize", &copy_from_and_resize);
  m.impl("_local_scalar_dense", &read);
}

}  // namespace

NoSynchronisation::NoSynchronisation() { ++forbidden_synchronisations; }
NoSynchronisation::~NoSynchronisation() { --forbidden_synchronisations; }

namespace {

TEST(ApartDevice, NoticesWhatAGpuWouldRefuse) {
  EXPECT_TRUE(registered);
  const at::Tensor there = at::ones({4}, kEmulatedDevice), here = at::ones({4});
  EXPECT_EQ((there + there).sum().item<float>(), 8);
  EXPECT_ANY_THROW(there + here);  // thrown by LibTorch itself
  EXPECT_THROW(there.index_select(0, at::zeros({1}, at::kLong)), DeviceViolation);
  EXPECT_THROW(at::cat({there, here}), DeviceViolation);
  EXPECT_NO_THROW(there * 2);
  const NoSynchronisation strict;
  EXPECT_NO_THROW(there + there);
  EXPECT_THROW(there.to(at::kCPU), DeviceViolation);
  EXPECT_THROW(here.to(kEmulatedDevice), DeviceViolation);
  EXPECT_THROW(there[0].item<float>(), DeviceViolation);
}

// In place of a captured graph: runs the work twice as warm-up, then replays it without permitting
// synchronisation.
class StrictWork final : public ops::RecordedWork {
 public:
  void record(const std::function<void()>& work) override {
    work_ = work;
    for (int i = 0; i < 2; ++i) work_();
    replay();
  }
  void replay() override {
    const NoSynchronisation strict;
    work_();
  }

 private:
  std::function<void()> work_;
};

struct Update {
  std::vector<double> numbers;
  at::Tensor values;
};

// Runs three steps on the device.
Update updates(const std::string& kind, const char* precision) {
  const EmulatedCuda emulated;
  recipe::Recipe recipe = train::small_recipe();
  recipe.optim.batch_size = 3;
  recipe.model.kind = kind;
  recipe.model.precision = precision;
  if (kind == "vit") recipe.encoder = {"custom", {8}, {16}, {1}, 2, {2}};
  const auto compute = recipe::compute_type(precision);
  models::MaskedAutoencoder model(recipe::autoencoder_options(recipe), 3, kEmulatedDevice);
  optim::AdamW optimizer(model.parameters(), recipe.optim);
  train::QueuedUpdate queue(model, optimizer, recipe, compute, 2, nullptr,
                            std::make_unique<StrictWork>());
  Update result;
  for (int step = 0; step < 3; ++step) {
    queue.enqueue(train::random_batch(recipe), {1e-3});
    const train::StepResult read = queue.wait_result();
    EXPECT_TRUE(read.applied);
    result.numbers.push_back(read.loss);
    result.numbers.push_back(read.gradient_norm);
  }
  result.values = model.parameters().flat_values().cpu();
  return result;
}

Update wanted_updates(const std::string& kind, const char* precision) {
  recipe::Recipe recipe = train::small_recipe();
  recipe.optim.batch_size = 3;
  recipe.model.kind = kind;
  if (kind == "vit") recipe.encoder = {"custom", {8}, {16}, {1}, 2, {2}};
  recipe.model.precision = precision;
  train::PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
  Update result;
  for (int step = 0; step < 3; ++step) {
    const auto read = learner.update(train::random_batch(recipe), {1e-3, 2});
    result.numbers.push_back(read.loss);
    result.numbers.push_back(read.gradient_norm);
  }
  result.values = learner.model().parameters().flat_values();
  return result;
}

TEST(ApartUpdate, MixesNothingAndFollowsTheProcessor) {
  for (const char* kind : {"conv_vit", "vit"}) {
    const Update got = updates(kind, "fp32"), wanted = wanted_updates(kind, "fp32");
    for (size_t i = 0; i < wanted.numbers.size(); ++i) {
      EXPECT_NEAR(got.numbers[i], wanted.numbers[i], 1e-5 * wanted.numbers[i]) << kind << " " << i;
    }
    EXPECT_EQ(compare(got.values, wanted.values, 1e-4).description, "") << kind;
  }
}

TEST(ApartUpdate, MixesNothingInBfloat16) {
  for (const char* kind : {"conv_vit", "vit"}) EXPECT_NO_THROW(updates(kind, "bf16")) << kind;
}

// Negative control: if one table of the plan stays on the CPU, an error is thrown.
TEST(ApartUpdate, AForgottenTableIsNoticed) {
  const EmulatedCuda emulated;
  const recipe::Recipe recipe = train::small_recipe();
  const loader::Batch batch = train::random_batch(recipe);
  const models::MaskedAutoencoder model(recipe::autoencoder_options(recipe), 3, kEmulatedDevice);
  const masks::ViewPlan here =
      masks::plan_for_samples(batch.sample_ids, 1, 0, model.grid(), recipe.pretrain().masks);
  const auto loss = [&](const masks::ViewPlan& plan) {
    const at::Tensor images = models::images_of(batch).to(kEmulatedDevice);
    return train::forward_backward(model, images, plan, recipe, at::kFloat, 1, nullptr).loss;
  };
  masks::ViewPlan plan = here.to(kEmulatedDevice);
  EXPECT_NO_THROW(loss(plan));
  plan.order_BL = here.order_BL;
  EXPECT_ANY_THROW(loss(plan));
  plan = here.to(kEmulatedDevice);
  plan.neighbours_BL9 = here.neighbours_BL9;
  EXPECT_ANY_THROW(loss(plan));
  plan = here.to(kEmulatedDevice);
  plan.hidden_slots_GH = here.hidden_slots_GH;
  EXPECT_ANY_THROW(loss(plan));
}

}  // namespace
}  // namespace fcm::test::emulator
