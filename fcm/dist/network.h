// Sockets and names of this machine.
#pragma once

#include <cstdint>
#include <string>

#include "fcm/base/file.h"

namespace fcm::dist {

std::string host_name();

// A socket that is bound and takes connections: from this machine alone, or from everywhere. port
// 0: any that is free. Throws Error(kUsage) where the port is in use or not allowed.
Descriptor listening_socket(bool from_here_alone, int64_t port);
int64_t port_of(const Descriptor& socket);

// This machine's address as others reach it: of the interface by which `other` is reached; where
// that is this machine itself, of the first one that leads outside. Throws Error(kUsage) where
// `other` is no host.
std::string address_towards(const std::string& other);

}  // namespace fcm::dist
