// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// All programs that walk socket tables, which share their maps, in one object. Its loader, which libbpf makes, has room for 32
// functions, callbacks included (tools/lib/bpf/gen_loader.c, MAX_USED_PROGS).
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
