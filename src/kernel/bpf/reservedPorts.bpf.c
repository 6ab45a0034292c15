// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// net.ipv4.ip_local_reserved_ports of a namespace that `namespaces` told of, into the map `reserved`, a bit each.
#include "walk.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ports);
} reserved SEC(".maps");

SEC("syscall") int reserved_ports(struct walk *w)
{
	struct net *net = (void *)w->net;
	struct ports *ports;
	__u32 zero = 0;
	ports = bpf_map_lookup_elem(&reserved, &zero);
	if (!ports) return 1;
	// It may be gone by now: whoever asked compares.
	w->netns = BPF_CORE_READ(net, ns.inum);
	return bpf_probe_read_kernel(ports, sizeof *ports, BPF_CORE_READ(net, ipv4.sysctl_local_reserved_ports)) ? 1 : 0;
}
