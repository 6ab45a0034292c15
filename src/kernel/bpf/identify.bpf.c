// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// What the network namespace of the calling thread is: its inode number, whether it has an established hash of its own
// (net.ipv4.tcp_child_ehash_entries), its UDP table, two sysctls in jiffies, which tell how many of them a second has, and
// those sysctls that decide about ports. The map `reserved` becomes net.ipv4.ip_local_reserved_ports.
#include "walk.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ports);
} reserved SEC(".maps");

SEC("syscall") int identify(struct walk *w)
{
	struct net *net = net_of_thread();
	struct inet_hashinfo *hashinfo = BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo);
	__u32 first, last, zero = 0;
	struct ports *ports = bpf_map_lookup_elem(&reserved, &zero);
	w->netns = BPF_CORE_READ(net, ns.inum);
	w->is_pernet = BPF_CORE_READ(hashinfo, pernet);
	w->fin_timeout = BPF_CORE_READ(net, ipv4.sysctl_tcp_fin_timeout);
	w->keepalive_interval = BPF_CORE_READ(net, ipv4.sysctl_tcp_keepalive_intvl);
	read_range(net, &first, &last);
	w->first_port = first;
	w->last_port = last;
	w->tw_reuse = BPF_CORE_READ(net, ipv4.sysctl_tcp_tw_reuse);
	w->timestamps = BPF_CORE_READ(net, ipv4.sysctl_tcp_timestamps);
	// Without VRFs all share their ports.
	w->l3mdev_accept = 1;
	if (bpf_core_field_exists(net->ipv4.sysctl_tcp_l3mdev_accept)) w->l3mdev_accept = BPF_CORE_READ(net, ipv4.sysctl_tcp_l3mdev_accept);
	// Built in before 6.14.
	w->tw_reuse_delay = 1000;
	if (bpf_core_field_exists(net->ipv4.sysctl_tcp_tw_reuse_delay)) w->tw_reuse_delay = BPF_CORE_READ(net, ipv4.sysctl_tcp_tw_reuse_delay);
	// Before 6.2 the host has one, of which nothing points the way.
	w->udp_table = 0;
	if (bpf_core_field_exists(net->ipv4.udp_table)) w->udp_table = (__u64)BPF_CORE_READ(net, ipv4.udp_table);
	if (ports && bpf_probe_read_kernel(ports, sizeof *ports, BPF_CORE_READ(net, ipv4.sysctl_local_reserved_ports))) return 1;
	return 0;
}
