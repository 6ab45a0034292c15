// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// All programs that walk socket tables, which share their maps, in one object.
#include "identify.bpf.c"
#include "namespaces.bpf.c"
#include "reservedPorts.bpf.c"
#include "listeners.bpf.c"
#include "bindBuckets.bpf.c"
#include "bindAddresses.bpf.c"
#include "connections.bpf.c"
#include "udp.bpf.c"
#include "holders.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
