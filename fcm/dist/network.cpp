#include "fcm/dist/network.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "fcm/base/error.h"

namespace fcm::dist {
namespace {

constexpr int kBacklog = 1024;  // backlog of listen(2): connections that are not accepted yet

std::string text_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* number =
      address->sa_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr)
          : &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  ::inet_ntop(address->sa_family, number, text.data(), text.size());
  return text.data();
}

bool leads_here(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

std::string first_outer_address() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return "127.0.0.1";
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    const bool usable = one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET &&
                        (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_LOOPBACK) == 0;
    if (usable) return text_of(one->ifa_addr);
  }
  return "127.0.0.1";
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

Descriptor listening_socket(bool from_here_alone, int64_t port) {
  const int on = 1, off = 0;
  Descriptor socket(::socket(from_here_alone ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool is_v6 = !from_here_alone && socket.is_open();
  if (!socket.is_open()) socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(static_cast<uint16_t>(port));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = v6.sin6_port;
  v4.sin_addr.s_addr = htonl(from_here_alone ? INADDR_LOOPBACK : INADDR_ANY);
  const int bound = is_v6 ? ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&v6), sizeof v6)
                          : ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  if (bound != 0 || ::listen(socket.get(), kBacklog) != 0) {
    fail(ExitCode::kUsage, "cannot listen on port {} of {}: {}; set MASTER_PORT to a free port",
         port, host_name(), std::strerror(errno));
  }
  return socket;
}

int64_t port_of(const Descriptor& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const bool is_v4 = address.ss_family == AF_INET;
  return ntohs(is_v4 ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                     : reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

std::string address_towards(const std::string& other) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  if (const int code = ::getaddrinfo(other.c_str(), "9", &hints, &found); code != 0) {
    fail(ExitCode::kUsage,
         "the address of the other processes, {}, is not a host that {} can resolve: {}", other,
         host_name(), ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    // Sends nothing: connect() on UDP only selects the source address.
    const Descriptor socket(::socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage mine{};
    socklen_t size = sizeof mine;
    if (::connect(socket.get(), one->ai_addr, one->ai_addrlen) != 0) continue;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&mine), &size) != 0) continue;
    const std::string address = text_of(reinterpret_cast<const sockaddr*>(&mine));
    return leads_here(address) ? first_outer_address() : address;
  }
  fail(ExitCode::kUsage, "{} has no route to {}, the address of the other processes", host_name(),
       other);
}

}  // namespace fcm::dist
