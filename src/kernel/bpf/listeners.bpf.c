// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Every listening TCP socket of every namespace, by lhash2 (net/ipv4/inet_hashtables.c), with
// remote[0] = accept queue, remote[1] = its limit, remote[2] = drops, extra = its VRF.
#include "walk.h"

// net/ipv4/inet_hashtables.c: the end of a chain is marked with the number of its slot above this base.
#define LISTENING_NULLS_BASE (1U << 29)

static long each_listener(__u32 i, struct env *e)
{
	struct sock *sk = (void *)((char *)e->at - bpf_core_field_offset(struct sock_common, skc_nulls_node));
	struct ports *ports;
	struct record *r;
	__u32 zero = 0;
	__u16 port;
	if ((__u64)e->at & 1) {
		e->is_over = (__u32)((__u64)e->at >> 1) % LISTENING_NULLS_BASE == e->slot;
		return 1;
	}
	e->at = BPF_CORE_READ(sk, __sk_common.skc_nulls_node.next);
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN) return 0;
	r = next_record(e);
	if (!r) return is_full(e);
	meet_net(e, BPF_CORE_READ(sk, __sk_common.skc_net.net));
	fill_unconnected(r, sk, e->netns, TCP_LISTEN);
	r->remote[0] = BPF_CORE_READ(sk, sk_ack_backlog);
	r->remote[1] = BPF_CORE_READ(sk, sk_max_ack_backlog);
	r->remote[2] = drops_of(sk);
	r->extra = vrf_of_socket(r, sk);
	mark_file_of(sk);
	port = r->port;
	ports = bpf_map_lookup_elem(&listening, &zero);
	if (ports) ports->bits[port >> 3] |= 1 << (port & 7);
	return 0;
}

static long each_try_of_listeners(__u32 i, struct env *e)
{
	struct inet_listen_hashbucket *slot = (void *)(e->table + (__u64)e->slot * bpf_core_type_size(struct inet_listen_hashbucket));
	begin_chain(e);
	e->at = BPF_CORE_READ(slot, nulls_head.first);
	bpf_loop(LONGEST_CHAIN, each_listener, e, 0);
	return is_done(e);
}

static long each_listening_slot(__u32 i, struct env *e)
{
	struct inet_listen_hashbucket *slot = (void *)(e->table + (__u64)(e->first_slot + i) * bpf_core_type_size(struct inet_listen_hashbucket));
	if ((__u64)BPF_CORE_READ(slot, nulls_head.first) & 1) return 0;
	begin_slot(e, e->first_slot + i);
	bpf_loop(TRIES, each_try_of_listeners, e, 0);
	return end_slot(e);
}

SEC("syscall") int listeners(struct walk *w)
{
	struct inet_hashinfo *hashinfo = BPF_CORE_READ(net_of_thread(), ipv4.tcp_death_row.hashinfo);
	struct env e = { .table = (char *)BPF_CORE_READ(hashinfo, lhash2) };
	__u32 slots = BPF_CORE_READ(hashinfo, lhash2_mask) + 1;
	begin(&e, w);
	if (e.first_slot < slots) bpf_loop(slots - e.first_slot, each_listening_slot, &e, 0);
	end(&e, w, slots, slots);
	return 0;
}
