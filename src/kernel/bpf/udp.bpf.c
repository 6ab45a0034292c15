// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Every UDP socket with a port in the UDP table of the calling thread's namespace, which is that of all namespaces without
// net.ipv4.udp_child_hash_entries. Unconnected: remote[0] = bytes to read, remote[2] = drops.
#include "walk.h"

static long each_udp(__u32 i, struct env *e)
{
	struct sock *sk = (void *)((char *)e->at - bpf_core_field_offset(struct sock_common, skc_node));
	struct record *r;
	__u8 state;
	__u16 port;
	if (!e->at) {
		e->is_over = 1;
		return 1;
	}
	e->at = BPF_CORE_READ(sk, __sk_common.skc_node.next);
	meet_net(e, BPF_CORE_READ(sk, __sk_common.skc_net.net));
	port = BPF_CORE_READ(sk, __sk_common.skc_num);
	// udp_hashfn() of include/net/udp.h
	if (((port + e->hash_mix) & e->mask) != e->slot) {
		e->alien++;
		return 1;
	}
	r = next_record(e);
	if (!r) return is_full(e);
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	fill_unconnected(r, sk, e->netns, state);
	if (state == TCP_ESTABLISHED) {
		r->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
		if (r->family == AF_INET6) {
			__u32 address[4];
			BPF_CORE_READ_INTO(&address, sk, __sk_common.skc_v6_daddr);
			put_words(r->remote, address);
		} else r->remote[0] = bpf_ntohl(BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		mark_file_of(sk);
		r->remote[0] = BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter) - BPF_CORE_READ((struct udp_sock *)sk, forward_deficit);
		r->remote[2] = drops_of(sk);
	}
	return 0;
}

static long each_try_of_udp(__u32 i, struct env *e)
{
	struct udp_hslot *slot = (void *)(e->table + (__u64)e->slot * bpf_core_type_size(struct udp_hslot));
	begin_chain(e);
	e->at = BPF_CORE_READ(slot, head.first);
	bpf_loop(LONGEST_CHAIN, each_udp, e, 0);
	return is_done(e);
}

static long each_udp_slot(__u32 i, struct env *e)
{
	struct udp_hslot *slot = (void *)(e->table + (__u64)(e->first_slot + i) * bpf_core_type_size(struct udp_hslot));
	if (!BPF_CORE_READ(slot, head.first)) return 0;
	begin_slot(e, e->first_slot + i);
	bpf_loop(TRIES, each_try_of_udp, e, 0);
	return end_slot(e);
}

SEC("syscall") int udp(struct walk *w)
{
	struct net *net = net_of_thread();
	struct udp_table *table;
	struct env e = {};
	__u32 slots = 0;
	begin(&e, w);
	if (bpf_core_field_exists(net->ipv4.udp_table)) {
		table = BPF_CORE_READ(net, ipv4.udp_table);
		e.table = (char *)BPF_CORE_READ(table, hash);
		e.mask = BPF_CORE_READ(table, mask);
		slots = e.mask + 1;
		if (e.first_slot < slots) bpf_loop(slots - e.first_slot, each_udp_slot, &e, 0);
	}
	end(&e, w, slots, slots);
	return 0;
}
