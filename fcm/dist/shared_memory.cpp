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
#include "fcm/dist/part.h"

namespace fcm::dist {
namespace {

std::byte* mapped(const Descriptor& memory, int64_t bytes) {
  void* address = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED,
                         memory.get(), 0);
  return address == MAP_FAILED ? nullptr : static_cast<std::byte*>(address);
}

// Anonymous memory (memfd), initially zero.
Descriptor new_memory(int64_t bytes) {
  Descriptor memory(::memfd_create("fastconvmae", MFD_CLOEXEC));
  if (memory.is_open() && ::ftruncate(memory.get(), bytes) != 0) memory.close();
  return memory;
}

// Opens the memory of another process of the same user, by the number of its descriptor there.
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

at::Tensor part_of(const at::Tensor& values, int64_t rank, int64_t ranks) {
  const Part part = part_of_rank(rank, ranks, values.numel());
  return values.narrow(0, part.begin, part.size());
}

int64_t whole_pages(int64_t bytes) {
  constexpr int64_t kPage = 4096;
  return (bytes + kPage - 1) / kPage * kPage;
}

// A tensor [elements] in `memory`, which it keeps alive.
at::Tensor values_at(const std::shared_ptr<Mapping>& memory, int64_t byte, int64_t elements,
                     const at::TensorOptions& options) {
  return at::from_blob(
      memory->begin() + byte, {elements}, [memory](void*) {}, options);
}

// A random token at the end of the memory identifies it.
constexpr int64_t kTokenBytes = 16;

// Where another process finds rank 0's memory.
struct Address {
  int64_t process = 0, descriptor = 0;
  std::string token = std::string(kTokenBytes, '\0');

  std::string text() const { return fmt::format("{} {} {}", process, descriptor, token); }
  static Address of(const std::string& text) {
    Address address;
    const int found = std::sscanf(text.c_str(), "%ld %ld %16c", &address.process,
                                  &address.descriptor, address.token.data());
    return found == 3 ? address : Address();
  }
};

}  // namespace

std::shared_ptr<Mapping> Mapping::open(Group& by, int64_t bytes) {
  const int64_t all_bytes = bytes + kTokenBytes;
  const bool makes = by.rank() == 0;
  Descriptor memory = makes ? new_memory(all_bytes) : Descriptor();
  Address address;
  if (memory.is_open()) address = {::getpid(), memory.get(), random_token(kTokenBytes)};
  address = Address::of(gather_texts(by, makes ? address.text() : "").front());
  if (!makes) memory = memory_of(address.process, address.descriptor, all_bytes);
  std::byte* const begin = memory.is_open() ? mapped(memory, all_bytes) : nullptr;
  if (makes && begin != nullptr) std::memcpy(begin + bytes, address.token.data(), kTokenBytes);
  by.all(true);  // waits until rank 0 has written the token
  // In another container the process id may belong to another process.
  const bool is_memory_of_rank_0 =
      begin != nullptr && std::memcmp(begin + bytes, address.token.data(), kTokenBytes) == 0;
  if (by.all(is_memory_of_rank_0)) return std::shared_ptr<Mapping>(new Mapping(begin, all_bytes));
  if (begin != nullptr) ::munmap(begin, static_cast<size_t>(all_bytes));
  return nullptr;
}

Mapping::~Mapping() { ::munmap(begin_, static_cast<size_t>(bytes_)); }

int64_t SharedMemory::slots_of(int64_t ranks) {
  constexpr int64_t kMostBytes = 256 << 20, kMostSlots = 16;
  return std::clamp(kMostBytes / kChunkBytes / ranks, int64_t{2}, kMostSlots);
}

int64_t SharedMemory::slots_begin(int64_t ranks) {
  return whole_pages(ranks * int64_t{sizeof(Done)});
}

std::unique_ptr<SharedMemory> SharedMemory::open(Group& by, Lost lost) {
  const int64_t ranks = by.size();
  auto memory = Mapping::open(by, slots_begin(ranks) + ranks * slots_of(ranks) * kChunkBytes);
  if (memory == nullptr) return nullptr;
  return std::unique_ptr<SharedMemory>(
      new SharedMemory(by.rank(), ranks, std::move(memory), std::move(lost)));
}

at::Tensor SharedMemory::make_buffer(Group& by, int64_t elements,
                                     const at::TensorOptions& options) {
  const int64_t bytes = whole_pages(elements * static_cast<int64_t>(options.dtype().itemsize()));
  auto memory = Mapping::open(by, ranks_ * bytes);
  if (memory == nullptr) return {};
  buffers_.push_back({memory, bytes});
  return values_at(memory, rank_ * bytes, elements, options);
}

at::Tensor SharedMemory::make_shared_memory(Group& by, int64_t elements,
                                            const at::TensorOptions& options) {
  const int64_t bytes = whole_pages(elements * static_cast<int64_t>(options.dtype().itemsize()));
  const auto memory = Mapping::open(by, bytes);
  return memory == nullptr ? at::Tensor() : values_at(memory, 0, elements, options);
}

// Operations complete in the order in which they were started.
class SharedMemory::PendingChunks final : public Pending {
 public:
  // `end`: one past the index of the operation's last chunk. `by_all`: other ranks read the values
  // in place, so this waits until all ranks have copied them.
  PendingChunks(SharedMemory& memory, int64_t end, bool by_all)
      : memory_(memory), end_(end), by_all_(by_all) {}
  void wait() override {
    memory_.wait_for([this] {
      return memory_.copied_out_ >= end_ && (!by_all_ || memory_.all(&Done::copied_out, end_ - 1));
    });
  }

 private:
  SharedMemory& memory_;
  int64_t end_;
  bool by_all_;
};

std::unique_ptr<Pending> SharedMemory::start(const at::Tensor& values, int64_t from,
                                             std::optional<Part> mine) {
  require(values.is_cpu() && values.is_contiguous(),
          "SharedMemory: expected a contiguous CPU tensor");
  const at::NoGradGuard no_grad;
  const at::Tensor flat = values.detach().view(-1);
  int64_t byte_offset = 0;
  const Buffer* buffer = buffer_of(flat, byte_offset);
  const int64_t bytes = flat.element_size(), most = kChunkBytes / bytes;
  for (int64_t begin = 0; begin < flat.numel(); begin += most) {
    const int64_t end = std::min(begin + most, flat.numel());
    Chunk chunk{flat.slice(0, begin, end), from, buffer, byte_offset + begin * bytes, std::nullopt};
    if (mine && buffer != nullptr) chunk.mine = part_within(*mine, begin, end);
    copy_in(std::move(chunk));
  }
  return std::make_unique<PendingChunks>(*this, copied_in_, buffer != nullptr);
}

// The buffer in which `values` lie, and their `byte_offset` in this rank's part of it.
// nullptr: the values are in memory of this rank only.
const SharedMemory::Buffer* SharedMemory::buffer_of(const at::Tensor& values,
                                                    int64_t& byte_offset) const {
  const auto* first = static_cast<const std::byte*>(values.const_data_ptr());
  for (const Buffer& buffer : buffers_) {
    const std::byte* begin = buffer.memory->begin() + rank_ * buffer.bytes;
    if (first < begin || first >= begin + buffer.bytes) continue;
    byte_offset = first - begin;
    return &buffer;
  }
  return nullptr;
}

SharedMemory::Done& SharedMemory::done(int64_t rank) const {
  return reinterpret_cast<Done*>(memory_->begin())[rank];
}

// The values of `rank` in chunk number `index`.
at::Tensor SharedMemory::of_rank(int64_t rank, int64_t index, const Chunk& chunk) const {
  std::byte* there =
      chunk.buffer != nullptr
          ? chunk.buffer->memory->begin() + rank * chunk.buffer->bytes + chunk.byte_offset
          : memory_->begin() + slots_begin(ranks_) + (rank * slots_ + index % slots_) * kChunkBytes;
  return at::from_blob(there, chunk.values.sizes(), chunk.values.options());
}

bool SharedMemory::all(std::atomic<int64_t> Done::*what, int64_t beyond) const {
  for (int64_t rank = 0; rank < ranks_; ++rank) {
    if ((done(rank).*what).load(std::memory_order_acquire) <= beyond) return false;
  }
  return true;
}

void SharedMemory::copy_in(Chunk chunk) {
  if (chunk.buffer == nullptr) {
    // The slot is free once all ranks have copied out the last chunk that was in it.
    wait_for([this] { return all(&Done::copied_out, copied_in_ - slots_); });
    if (chunk.from == kSum || chunk.from == rank_) {
      of_rank(rank_, copied_in_, chunk).copy_(chunk.values);
    }
  }
  chunks_.push_back(std::move(chunk));
  done(rank_).copied_in.store(++copied_in_, std::memory_order_release);
  progress();
}

// Writes this rank's part of the sum to where the others read it: this rank's buffer, or the slot
// of rank 0.
void SharedMemory::reduce(const Chunk& chunk) {
  const Part mine = chunk.mine.value_or(part_of_rank(rank_, ranks_, chunk.values.numel()));
  const auto part_in = [&](int64_t rank) {
    return of_rank(rank, reduced_, chunk).slice(0, mine.begin, mine.end);
  };
  at::Tensor to = part_in(chunk.buffer != nullptr ? rank_ : 0);
  if (ranks_ == 1 || to.numel() == 0) return;  // one rank: its values are the sum, and in place
  if (ranks_ == 2) {
    at::add_out(to, part_in(0), part_in(1));
    return;
  }
  at::Tensor sum = part_in(0) + part_in(1);
  for (int64_t rank = 2; rank < ranks_; ++rank) sum.add_(part_in(rank));
  to.copy_(sum);
}

void SharedMemory::copy_out(const Chunk& chunk) {
  if (chunk.mine) return;  // the sums that this rank needs are in place
  if (chunk.from != kSum) {
    if (chunk.from != rank_) chunk.values.copy_(of_rank(chunk.from, copied_out_, chunk));
  } else if (chunk.buffer == nullptr) {
    chunk.values.copy_(of_rank(0, copied_out_, chunk));
  } else {
    for (int64_t rank = 0; rank < ranks_; ++rank) {
      if (rank == rank_) continue;
      part_of(chunk.values, rank, ranks_)
          .copy_(part_of(of_rank(rank, copied_out_, chunk), rank, ranks_));
    }
  }
}

// Does all work that is possible without waiting; false: there was none.
bool SharedMemory::progress() {
  const at::NoGradGuard no_grad;
  bool did = false;
  for (; reduced_ < copied_in_ && all(&Done::copied_in, reduced_); did = true) {
    const Chunk& chunk = chunks_[static_cast<size_t>(reduced_ - copied_out_)];
    if (chunk.from == kSum) reduce(chunk);
    done(rank_).reduced.store(++reduced_, std::memory_order_release);
  }
  for (; copied_out_ < reduced_ && all(&Done::reduced, copied_out_); did = true) {
    copy_out(chunks_.front());
    chunks_.pop_front();
    done(rank_).copied_out.store(++copied_out_, std::memory_order_release);
  }
  return did;
}

void SharedMemory::wait_for(const std::function<bool()>& condition) {
  constexpr int kImpatient = 100;  // tries before the first sleep
  constexpr int kTriesBetweenLostChecks = 1000;
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
      if (tries % kTriesBetweenLostChecks != 0) continue;
      if (const std::string why = lost_(); !why.empty()) {
        throw SharedError(ExitCode::kPeerLost, why);
      }
    }
    waited_seconds_ += waiting.seconds();
  }
}

}  // namespace fcm::dist
