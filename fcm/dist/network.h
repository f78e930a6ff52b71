// Sockets and addresses of this machine.
#pragma once

#include <cstdint>
#include <string>

#include "fcm/base/file.h"

namespace fcm::dist {

std::string host_name();

// A bound, listening socket, for connections from this machine only (`from_here_alone`) or from any
// machine. Port 0: any free port. Throws Error(kUsage) if the port is in use or not allowed.
Descriptor listening_socket(bool from_here_alone, int64_t port);
int64_t port_of(const Descriptor& socket);

// The address at which other machines reach this one: the address of the interface towards `other`
// or, if `other` is this machine, of the first interface that is not loopback. Throws Error(kUsage)
// if `other` is not a host.
std::string address_towards(const std::string& other);

}  // namespace fcm::dist
