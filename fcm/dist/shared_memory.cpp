#include "fcm/dist/shared_memory.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/stopwatch.h"

namespace fcm::dist {
namespace {

std::byte* mapped(const Descriptor& memory, int64_t bytes) {
  void* address = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED,
                         memory.get(), 0);
  return address == MAP_FAILED ? nullptr : static_cast<std::byte*>(address);
}

// Memory that has no name; what is not there yet when it is needed is zero.
Descriptor new_memory(int64_t bytes) {
  Descriptor memory(::memfd_create("fastconvmae", MFD_CLOEXEC));
  if (memory.is_open() && ::ftruncate(memory.get(), bytes) != 0) memory.close();
  return memory;
}

// By its number in another process of this user.
Descriptor memory_of(int64_t process, int64_t descriptor, int64_t bytes) {
  const std::string path = fmt::format("/proc/{}/fd/{}", process, descriptor);
  Descriptor memory(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  struct stat facts {};
  const bool fits = memory.is_open() && ::fstat(memory.get(), &facts) == 0 &&
                    S_ISREG(facts.st_mode) && facts.st_size == bytes;
  return fits ? std::move(memory) : Descriptor();
}

std::string random_token(int64_t bytes) {
  std::random_device random;
  std::string token(static_cast<size_t>(bytes), '\0');
  for (char& one : token) one = static_cast<char>('a' + random() % 26);
  return token;
}

// Part `rank` of [n] values: whole cache lines, whatever the type.
at::Tensor part_of(const at::Tensor& values, int64_t rank, int64_t ranks) {
  constexpr int64_t kLine = 64;
  const int64_t elements = values.numel(), lines = (elements + kLine - 1) / kLine;
  const auto border = [&](int64_t of) { return std::min(lines * of / ranks * kLine, elements); };
  return values.narrow(0, border(rank), border(rank + 1) - border(rank));
}

}  // namespace

SharedMemory::Layout SharedMemory::layout_of(int64_t ranks) {
  constexpr int64_t kMostBytes = 256 << 20, kMostSlots = 16;
  return {ranks, std::clamp(kMostBytes / kPieceBytes / ranks, int64_t{2}, kMostSlots)};
}

std::unique_ptr<SharedMemory> SharedMemory::open(Group& by, Lost lost) {
  const Layout layout = layout_of(by.size());
  const int64_t bytes = layout.bytes();
  Descriptor memory;
  std::byte* address = nullptr;
  std::string told;
  if (by.rank() == 0) {
    memory = new_memory(bytes);
    if (memory.is_open()) address = mapped(memory, bytes);
    if (address != nullptr) {
      const std::string token = random_token(kToken);
      std::memcpy(address + bytes - kToken, token.data(), token.size());
      told = fmt::format("{} {} {}", ::getpid(), memory.get(), token);
    }
  }
  told = gather_texts(by, told).front();
  std::string token(kToken, '\0');
  int64_t process = 0, descriptor = 0;
  const bool is_told =
      std::sscanf(told.c_str(), "%ld %ld %16c", &process, &descriptor, token.data()) == 3;
  if (by.rank() != 0 && is_told) {
    memory = memory_of(process, descriptor, bytes);
    if (memory.is_open()) address = mapped(memory, bytes);
  }
  // In another container the number may be that of another process.
  const bool is_it =
      address != nullptr && std::memcmp(address + bytes - kToken, token.data(), kToken) == 0;
  if (by.all(is_it)) {
    return std::unique_ptr<SharedMemory>(
        new SharedMemory(by.rank(), layout, address, std::move(lost)));
  }
  if (address != nullptr) ::munmap(address, static_cast<size_t>(bytes));
  return nullptr;
}

SharedMemory::~SharedMemory() { ::munmap(memory_, static_cast<size_t>(layout_.bytes())); }

// Operations are done in the order in which they were started.
class SharedMemory::Waiting final : public Pending {
 public:
  Waiting(SharedMemory& memory, int64_t end) : memory_(memory), end_(end) {}
  void wait() override {
    memory_.wait_for([this] { return memory_.taken_ >= end_; });
  }

 private:
  SharedMemory& memory_;
  int64_t end_;  // pieces
};

std::unique_ptr<Pending> SharedMemory::start(const at::Tensor& values, int64_t from) {
  require(values.is_cpu() && values.is_contiguous(),
          "SharedMemory: wanted contiguous values in the processor's memory");
  const at::NoGradGuard no_grad;
  const at::Tensor flat = values.detach().view(-1);
  const int64_t most = kPieceBytes / flat.element_size();
  for (int64_t begin = 0; begin < flat.numel(); begin += most) {
    bring({flat.narrow(0, begin, std::min(most, flat.numel() - begin)), from});
  }
  return std::make_unique<Waiting>(*this, brought_);
}

SharedMemory::Done& SharedMemory::done(int64_t rank) const {
  return reinterpret_cast<Done*>(memory_)[rank];
}

// Where `rank` has `piece`, as values like those.
at::Tensor SharedMemory::slot(int64_t rank, int64_t piece, const at::Tensor& like) const {
  const int64_t place = rank * layout_.slots + piece % layout_.slots;
  return at::from_blob(memory_ + layout_.slots_begin() + place * kPieceBytes, like.sizes(),
                       like.options());
}

bool SharedMemory::all(std::atomic<int64_t> Done::*what, int64_t beyond) const {
  for (int64_t rank = 0; rank < layout_.ranks; ++rank) {
    if ((done(rank).*what).load(std::memory_order_acquire) <= beyond) return false;
  }
  return true;
}

void SharedMemory::bring(Piece piece) {
  // The slot is free when all ranks have taken what was in it.
  wait_for([this] { return all(&Done::taken, brought_ - layout_.slots); });
  if (piece.from == kSum || piece.from == rank_) {
    slot(rank_, brought_, piece.values).copy_(piece.values);
  }
  pieces_.push_back(std::move(piece));
  done(rank_).brought.store(++brought_, std::memory_order_release);
  progress();
}

void SharedMemory::add_up(const Piece& piece) {
  if (piece.from != kSum) return;
  const auto part_in = [&](int64_t rank) {
    return part_of(slot(rank, added_, piece.values), rank_, layout_.ranks);
  };
  at::Tensor sum = part_in(0);
  if (sum.numel() == 0) return;
  for (int64_t rank = 1; rank < layout_.ranks; ++rank) sum.add_(part_in(rank));
}

// Whatever can be done without waiting; false: nothing.
bool SharedMemory::progress() {
  const at::NoGradGuard no_grad;
  bool did = false;
  for (; added_ < brought_ && all(&Done::brought, added_); did = true) {
    add_up(pieces_[static_cast<size_t>(added_ - taken_)]);
    done(rank_).added.store(++added_, std::memory_order_release);
  }
  for (; taken_ < added_ && all(&Done::added, taken_); did = true) {
    const Piece& piece = pieces_.front();
    if (piece.from != rank_) {
      piece.values.copy_(slot(piece.from == kSum ? 0 : piece.from, taken_, piece.values));
    }
    pieces_.pop_front();
    done(rank_).taken.store(++taken_, std::memory_order_release);
  }
  return did;
}

void SharedMemory::wait_for(const std::function<bool()>& condition) {
  constexpr int kImpatient = 100;  // tries before the core is given away
  constexpr int kBetweenQuestions = 1000;
  constexpr std::chrono::microseconds kNap{20};
  while (!condition()) {
    if (progress()) continue;
    const Stopwatch waiting;
    for (int64_t tries = 0; !condition() && !progress(); ++tries) {
      if (tries < kImpatient) {
        std::this_thread::yield();
        continue;
      }
      std::this_thread::sleep_for(kNap);
      if (tries % kBetweenQuestions != 0) continue;
      if (const std::string why = lost_(); !why.empty()) {
        throw SharedError(ExitCode::kPeerLost, why);
      }
    }
    waited_seconds_ += waiting.seconds();
  }
}

}  // namespace fcm::dist
