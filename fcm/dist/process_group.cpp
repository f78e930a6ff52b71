#include "fcm/dist/process_group.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <set>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/stopwatch.h"
#include "fcm/dist/nccl.h"
#include "fcm/dist/network.h"
#include "fcm/dist/peer_watch.h"
#include "fcm/dist/shared_memory.h"

namespace fcm::dist {
namespace {

using c10d::ProcessGroupGloo;

constexpr const char* kLoopback = "127.0.0.1";

// Timeout of Gloo's operations, much longer than any work that one rank does alone while the others
// wait (such as a checkpoint). PeerWatch detects lost ranks earlier.
constexpr std::chrono::minutes kLongestWait{60};

// Starts a store in this process. `here`: it accepts connections from this machine only. `address`:
// where this process connects to it.
c10::intrusive_ptr<c10d::TCPStore> hosted_store(bool here, const std::string& address,
                                                int64_t port) {
  Descriptor socket = listening_socket(here, port);
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(port_of(socket));
  options.isServer = true;
  options.waitWorkers = false;
  options.masterListenFd = socket.get();
  auto store = c10::make_intrusive<c10d::TCPStore>(address, options);
  socket.release();  // now owned by the store
  return store;
}

c10::intrusive_ptr<c10d::TCPStore> store_at(const std::string& address, int64_t port,
                                            std::chrono::milliseconds patience) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(port);
  options.waitWorkers = false;
  options.timeout = patience;
  return c10::make_intrusive<c10d::TCPStore>(address, options);
}

// After this time without an answer, a message says which rank or store is awaited.
constexpr std::chrono::seconds kQuiet{10};

// Connects to the store that another process hosts; warns if it takes long to appear.
c10::intrusive_ptr<c10d::TCPStore> awaited_store(const Placement& placement,
                                                 const std::string& address,
                                                 std::chrono::milliseconds patience,
                                                 Reporter& reporter) {
  if (patience > kQuiet) {
    try {
      return store_at(address, placement.port, kQuiet);
    } catch (const std::exception&) {
      reporter.warn(
          fmt::format("the store of the ranks, {}:{} ({}), is not up yet; trying for {} s", address,
                      placement.port, placement.source, patience.count() / 1000));
    }
  }
  return store_at(address, placement.port, patience);
}

// Throws std::exception if `key` does not appear in time.
void await_key(c10d::Store& store, const std::string& key, std::chrono::milliseconds patience,
               const std::function<void()>& takes_long) {
  if (patience > kQuiet) {
    try {
      return store.wait({key}, kQuiet);
    } catch (const std::exception&) {
      takes_long();
    }
  }
  store.wait({key}, patience);
}

// What a rank publishes about itself in the store.
struct Introduction {
  std::string host, program, process;

  std::string text() const { return host + "\n" + program + "\n" + process; }
  static Introduction of(const std::string& text) {
    const size_t first = text.find('\n'), second = text.find('\n', first + 1);
    return {text.substr(0, first), text.substr(first + 1, second - first - 1),
            text.substr(second + 1)};
  }
};

std::string key_of(int64_t rank) { return fmt::format("ranks/{}", rank); }

// Advice for the messages about ranks that do not connect.
std::string advice_of(const Placement& placement) {
  if (placement.source == "Slurm") {
    return fmt::format(
        "Slurm allocated {} tasks, which only srun starts: put srun before the command",
        placement.size);
  }
  return fmt::format("start as many processes as {} says", placement.source);
}

// Publishes this rank in the store and waits until all ranks have done so.
std::vector<Introduction> meet(c10d::Store& store, const Placement& placement,
                               const JoinOptions& options, Reporter& reporter) {
  const Introduction mine{host_name(), options.program, std::to_string(::getpid())};
  const std::string there = store.compareSet(key_of(placement.rank), "", mine.text());
  if (there != mine.text()) {
    const Introduction other = Introduction::of(there);
    fail(ExitCode::kUsage,
         "two processes claim to be rank {} of {}: process {} on {} and process {} on {}; "
         "give each process its own rank",
         placement.rank, placement.size, other.process, other.host, mine.process, mine.host);
  }
  std::vector<Introduction> ranks;
  for (int64_t rank = 0; rank < placement.size; ++rank) {
    try {
      await_key(store, key_of(rank), options.patience, [&] {
        reporter.warn(fmt::format("rank {} of {} has not connected yet; waiting for {} s; {}", rank,
                                  placement.size, options.patience.count() / 1000,
                                  advice_of(placement)));
      });
    } catch (const std::exception&) {
      fail(ExitCode::kPeerLost, "rank {} of {} did not connect to {}:{} within {} s; {}", rank,
           placement.size, placement.address, placement.port, options.patience.count() / 1000,
           advice_of(placement));
    }
    ranks.push_back(Introduction::of(store.get_to_str(key_of(rank))));
  }
  return ranks;
}

void refuse_other_programs(const std::vector<Introduction>& ranks) {
  for (size_t rank = 1; rank < ranks.size(); ++rank) {
    if (ranks[rank].program == ranks[0].program) continue;
    throw SharedError(
        ExitCode::kUsage,
        fmt::format("rank {} on {} is {} and rank 0 on {} is {}; start the same "
                    "program everywhere",
                    rank, ranks[rank].host, ranks[rank].program, ranks[0].host, ranks[0].program));
  }
}

// Sums and broadcasts of CPU tensors use shared memory if all ranks are on one machine. Those of
// GPU tensors use NCCL if each rank has its own GPU. Everything else uses Gloo.
class JoinedProcess final : public Process {
 public:
  JoinedProcess(const Placement& placement, c10::intrusive_ptr<c10d::Store> store,
                c10::intrusive_ptr<ProcessGroupGloo> gloo, bool keeps_store,
                std::unique_ptr<PeerWatch> watch)
      : placement_(placement),
        store_(std::move(store)),
        gloo_(std::move(gloo)),
        keeps_store_(keeps_store),
        watch_(std::move(watch)) {
    if (!placement_.on_one_machine()) return;
    shared_ = SharedMemory::open(*this, [this] { return watch_->known_cause(); });
  }

  int64_t rank() const override { return placement_.rank; }
  int64_t size() const override { return placement_.size; }
  int64_t local_rank() const override { return placement_.local_rank; }
  int64_t ranks_here() const override { return placement_.local_size; }

  int64_t agree(int64_t mine, Agree how) override {
    const bool is_truth = how == Agree::kAny || how == Agree::kAll;
    const at::Tensor value = at::full({1}, is_truth ? (mine != 0 ? 1 : 0) : mine, at::kLong);
    c10d::AllreduceOptions options;
    options.reduceOp = operation(how);
    start_reduce(value, options)->wait();
    return value.item<int64_t>();
  }

  std::unique_ptr<Pending> start_sum(const at::Tensor& values) override {
    if (shared_ && values.is_cpu()) return shared_->start_sum(values);
    return start_reduce(values, {});
  }

  std::unique_ptr<Pending> start_sum_of_part(const at::Tensor& values, Part mine) override {
    if (shared_ && values.is_cpu()) return shared_->start_sum_of_part(values, mine);
    return start_sum(values);
  }

  std::unique_ptr<Pending> start_broadcast(const at::Tensor& values, int64_t from) override {
    if (shared_ && values.is_cpu()) return shared_->start_broadcast(values, from);
    return started(values, [&](c10d::Backend& by, std::vector<at::Tensor>& tensors) {
      c10d::BroadcastOptions options;
      options.rootRank = from;
      return by.broadcast(tensors, options);
    });
  }

  std::vector<at::Tensor> gather(const at::Tensor& mine) override {
    std::vector<at::Tensor> inputs{mine.cpu()};
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (int64_t rank = 0; rank < size(); ++rank) outputs[0].push_back(at::empty_like(inputs[0]));
    if (mine.numel() > 0) wait(tried([&] { return gloo_->allgather(outputs, inputs); }));
    for (at::Tensor& one : outputs[0]) one = one.to(mine.device());
    return outputs[0];
  }

  at::Tensor make_buffer(int64_t elements, const at::TensorOptions& options) override {
    at::Tensor buffer;
    if (shared_ && options.device().is_cpu()) {
      buffer = shared_->make_buffer(*this, elements, options);
    }
    return buffer.defined() ? buffer : Process::make_buffer(elements, options);
  }

  at::Tensor make_shared_memory(int64_t elements, const at::TensorOptions& options) override {
    if (!shared_ || !options.device().is_cpu()) return {};
    return SharedMemory::make_shared_memory(*this, elements, options);
  }

  double waited_seconds() const override {
    return waited_seconds_ + (shared_ ? shared_->waited_seconds() : 0);
  }

  void leave() override {
    try {
      if (nccl_) nccl_->shutdown();
      watch_->leave();
      if (keeps_store_) watch_->wait_for_all_to_leave();
    } catch (const std::exception&) {  // the store's host has ended, so no rank can be informed
    }
  }

  void give_up(const std::string& why) override {
    try {
      watch_->give_up(why);
    } catch (const std::exception&) {  // as in leave()
    }
  }

 private:
  using Work = c10::intrusive_ptr<c10d::Work>;

  class Started final : public Pending {
   public:
    // `device`: a tensor that gets the result, of which `host` is a copy on the CPU; undefined if
    // no copy was made.
    Started(JoinedProcess& process, Work work, at::Tensor host, at::Tensor device)
        : process_(process),
          work_(std::move(work)),
          host_(std::move(host)),
          device_(std::move(device)) {}
    void wait() override {
      process_.wait(work_);
      if (device_.defined()) device_.copy_(host_);
    }

   private:
    JoinedProcess& process_;
    Work work_;
    at::Tensor host_, device_;
  };

  static c10d::ReduceOp::RedOpType operation(Agree how) {
    switch (how) {
      case Agree::kAny:
      case Agree::kMax:
        return c10d::ReduceOp::MAX;
      case Agree::kAll:
      case Agree::kMin:
        return c10d::ReduceOp::MIN;
      case Agree::kSum:
        break;
    }
    return c10d::ReduceOp::SUM;
  }

  std::unique_ptr<Pending> start_reduce(const at::Tensor& values,
                                        const c10d::AllreduceOptions& options) {
    return started(values, [&](c10d::Backend& by, std::vector<at::Tensor>& tensors) {
      return by.allreduce(tensors, options);
    });
  }

  template <typename Operation>
  std::unique_ptr<Pending> started(const at::Tensor& values, const Operation& operation) {
    const bool on_nccl = values.is_cuda() && has_nccl(values.device());
    const bool copied = !values.is_cpu() && !on_nccl;
    const at::Tensor used = copied ? values.detach().cpu() : values.detach();
    std::vector<at::Tensor> tensors{used};
    c10d::Backend& by = on_nccl ? *nccl_ : static_cast<c10d::Backend&>(*gloo_);
    Work work = used.numel() == 0 ? Work() : tried([&] { return operation(by, tensors); });
    return std::make_unique<Started>(*this, std::move(work), used,
                                     copied ? values.detach() : at::Tensor());
  }

  // Whether NCCL connects the ranks, which it does if each has its own GPU. All ranks decide this
  // together when the first operation on GPU tensors starts.
  bool has_nccl(at::Device device) {
    if (nccl_decided_) return nccl_ != nullptr;
    nccl_decided_ = true;
    if (make_nccl == nullptr) return false;
    const std::vector<std::string> gpus = gather_texts(*this, uuid_of_gpu(device.index()));
    if (std::set<std::string>(gpus.begin(), gpus.end()).size() < gpus.size()) return false;
    nccl_ = tried([&] {
      return make_nccl(c10::make_intrusive<c10d::PrefixStore>("nccl", store_), rank(), size());
    });
    return true;
  }

  void wait(const Work& work) {
    if (!work) return;
    const Stopwatch waiting;
    tried([&] { return work->wait(); });
    waited_seconds_ += waiting.seconds();
  }

  // Calls `call`. Gloo's errors name socket addresses, so a failure is reported with the message of
  // PeerWatch, which names the lost rank.
  template <typename Call>
  auto tried(const Call& call) -> decltype(call()) {
    try {
      return call();
    } catch (const std::exception& error) {
      const std::string cause = watch_->cause();
      if (!cause.empty()) throw SharedError(ExitCode::kPeerLost, cause);
      throw Error(ExitCode::kPeerLost,
                  fmt::format("the connection to another rank broke: {}", error.what()));
    }
  }

  Placement placement_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<ProcessGroupGloo> gloo_;
  bool keeps_store_;
  std::unique_ptr<PeerWatch> watch_;
  std::unique_ptr<SharedMemory> shared_;  // nullptr: not available
  bool nccl_decided_ = false;
  c10::intrusive_ptr<c10d::Backend> nccl_;  // nullptr: not connected
  std::atomic<double> waited_seconds_ = 0;
};

std::shared_ptr<gloo::transport::Device> device_for(const Placement& placement) {
  if (!placement.interface.empty()) {
    return ProcessGroupGloo::createDeviceForInterface(placement.interface);
  }
  return ProcessGroupGloo::createDeviceForHostname(
      placement.on_one_machine() ? kLoopback : address_towards(placement.address));
}

std::string name_of(const std::vector<Introduction>& ranks, int64_t rank) {
  return fmt::format("rank {} on host {}", rank, ranks[static_cast<size_t>(rank)].host);
}

std::shared_ptr<Process> connected(const Placement& placement, const JoinOptions& options,
                                   Reporter& reporter) {
  const bool keeps_store = placement.rank == 0 && !placement.hosted;
  const bool here = placement.on_one_machine() && !placement.hosted;
  const std::string address = here ? kLoopback : placement.address;
  const auto base = keeps_store ? hosted_store(here, address, placement.port)
                                : awaited_store(placement, address, options.patience, reporter);
  const std::string prefix = fmt::format("fastconvmae/{}", placement.restart);
  const auto store = c10::make_intrusive<c10d::PrefixStore>(prefix, base);
  const std::vector<Introduction> ranks = meet(*store, placement, options, reporter);
  refuse_other_programs(ranks);

  PeerWatch::Options watch{placement.rank,     placement.size, {}, {}, options.heartbeat,
                           options.lost_after, options.on_lost};
  for (int64_t rank = 0; rank < placement.size; ++rank) watch.names.push_back(name_of(ranks, rank));
  watch.store_name = placement.hosted ? "the process that started the ranks" : watch.names.front();
  auto watched = c10::make_intrusive<c10d::PrefixStore>(
      prefix, store_at(address, placement.port, options.patience));
  // From here on a rank that dies is detected, even while the others connect to it.
  auto peers = std::make_unique<PeerWatch>(std::move(watched), std::move(watch));

  const auto gloo_options = ProcessGroupGloo::Options::create(kLongestWait);
  gloo_options->devices.push_back(device_for(placement));
  auto gloo = c10::make_intrusive<ProcessGroupGloo>(
      c10::make_intrusive<c10d::PrefixStore>("gloo", store), static_cast<int>(placement.rank),
      static_cast<int>(placement.size), gloo_options);
  return std::make_shared<JoinedProcess>(placement, store, std::move(gloo), keeps_store,
                                         std::move(peers));
}

}  // namespace

std::shared_ptr<Process> join(const Placement& placement, const JoinOptions& options,
                              Reporter& reporter) {
  if (!placement.on_one_machine() && placement.rank == 0) {
    reporter.warn(
        "the traffic between processes on several machines is neither authenticated nor "
        "encrypted; run them in a network that nobody else can reach");
  }
  try {
    return connected(placement, options, reporter);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    fail(ExitCode::kPeerLost, "rank {} of {} cannot connect to {}:{} (address from {}): {}",
         placement.rank, placement.size, placement.address, placement.port, placement.source,
         text.substr(0, text.find('\n')));
  }
}

class StoreHost::Impl {
 public:
  c10::intrusive_ptr<c10d::TCPStore> store = hosted_store(true, kLoopback, 0);
};

StoreHost::StoreHost() : impl_(std::make_unique<Impl>()) {}
StoreHost::~StoreHost() = default;
int64_t StoreHost::port() const { return impl_->store->getPort(); }

}  // namespace fcm::dist
