// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Every network namespace with what decides about its ports: port and remote_port are its ephemeral range; local = {
// tcp_tw_reuse, tcp_timestamps, tcp_l3mdev_accept, tcp_tw_reuse_delay }; remote = { tcp_fin_timeout, tcp_keepalive_intvl, both
// in jiffies, lower and upper half of its struct net }, which reserved_ports takes; inode and device = lower and upper half
// of its UDP table; cgroup = its cookie; flags = FLAG_OWN_TABLE, FLAG_RESERVES.
#include "walk.h"

// It has an established hash of its own (net.ipv4.tcp_child_ehash_entries).
#define FLAG_OWN_TABLE 16
// net.ipv4.ip_local_reserved_ports is not empty.
#define FLAG_RESERVES 32

#define PORT_WORDS 1024
#define MOST_NAMESPACES 1048576

static long each_word_of_ports(__u32 i, struct env *e)
{
	__u64 word = 0;
	bpf_probe_read_kernel(&word, sizeof word, (__u64 *)e->inner + i);
	if (!word) return 0;
	e->bits = 1;
	return 1;
}

static __always_inline void fill_namespace(struct record *r, struct env *e, struct net *net)
{
	__u64 udp = 0, cookie;
	__u32 first, last;
	r->kind = KIND_NAMESPACE;
	r->netns = BPF_CORE_READ(net, ns.inum);
	read_range(net, &first, &last);
	r->port = first;
	r->remote_port = last;
	r->local[0] = BPF_CORE_READ(net, ipv4.sysctl_tcp_tw_reuse);
	r->local[1] = BPF_CORE_READ(net, ipv4.sysctl_tcp_timestamps);
	// Without VRFs all share their ports.
	r->local[2] = 1;
	if (bpf_core_field_exists(net->ipv4.sysctl_tcp_l3mdev_accept)) r->local[2] = BPF_CORE_READ(net, ipv4.sysctl_tcp_l3mdev_accept);
	// Built in before 6.14.
	r->local[3] = 1000;
	if (bpf_core_field_exists(net->ipv4.sysctl_tcp_tw_reuse_delay)) r->local[3] = BPF_CORE_READ(net, ipv4.sysctl_tcp_tw_reuse_delay);
	r->remote[0] = BPF_CORE_READ(net, ipv4.sysctl_tcp_fin_timeout);
	r->remote[1] = BPF_CORE_READ(net, ipv4.sysctl_tcp_keepalive_intvl);
	r->remote[2] = (__u64)net;
	r->remote[3] = (__u64)net >> 32;
	// Before 6.2 the host has one, of which nothing points the way.
	if (bpf_core_field_exists(net->ipv4.udp_table)) udp = (__u64)BPF_CORE_READ(net, ipv4.udp_table);
	r->inode = udp;
	r->device = udp >> 32;
	cookie = BPF_CORE_READ(net, net_cookie);
	r->cgroup[0] = cookie;
	r->cgroup[1] = cookie >> 32;
	e->inner = BPF_CORE_READ(net, ipv4.sysctl_local_reserved_ports);
	e->bits = e->zero;
	bpf_loop(PORT_WORDS, each_word_of_ports, e, 0);
	if (e->bits) r->flags |= FLAG_RESERVES;
}

// net_namespace_list is a ring with its head in it, which is no namespace: only those have the bind hash that all share.
static long each_namespace(__u32 i, struct env *e)
{
	struct net *net = e->at;
	struct inet_hashinfo *hashinfo = BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo);
	struct record *r;
	if (i > 0 && net == e->net) return 1;
	e->at = (char *)BPF_CORE_READ(net, list.next) - bpf_core_field_offset(struct net, list);
	if ((char *)BPF_CORE_READ(hashinfo, bhash) != e->table) return 0;
	r = next_record(e);
	if (!r) return is_full(e);
	fill_namespace(r, e, net);
	if (BPF_CORE_READ(hashinfo, pernet)) r->flags |= FLAG_OWN_TABLE;
	return 0;
}

// One slot, so to speak: what does not fit the buffer is told by the next run.
SEC("syscall") int namespaces(struct walk *w)
{
	struct net *net = net_of_thread();
	struct env e = { .at = net, .net = net, .table = (char *)BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo, bhash) };
	begin(&e, w);
	begin_slot(&e, e.zero);
	e.net = net;
	if (e.first_slot < 1) bpf_loop(MOST_NAMESPACES, each_namespace, &e, 0);
	e.is_over = 1;
	end_slot(&e);
	end(&e, w, 1, 1);
	return 0;
}
