// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Every bind bucket of every namespace, by bhash (net/ipv4/inet_hashtables.c): KIND_BUCKET with its port, and its l3mdev as
// the device. connect() passes over a bucket of its namespace and l3mdev whose fastreuse or fastreuseport is not negative:
// FLAG_BLOCKED. Behind such a bucket its sockets that did bind() and neither connect() nor listen(): KIND_SOCKET in TCP_CLOSE.
#include "walk.h"

static long each_owner(__u32 i, struct env *e)
{
	struct sock *sk = (void *)((char *)e->owner - bpf_core_field_offset(struct sock_common, skc_bind_node));
	struct record *r;
	if (!e->owner) return 1;
	e->owner = BPF_CORE_READ(sk, __sk_common.skc_bind_node.next);
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE) return 0;
	// One that was closed and taken for another port leads into another bucket.
	if (BPF_CORE_READ(sk, __sk_common.skc_num) != e->port) {
		e->alien++;
		return 1;
	}
	r = next_record(e);
	if (r) {
		fill_unconnected(r, sk, e->netns, TCP_CLOSE);
		r->extra = vrf_of_socket(r, sk);
	}
	return is_full(e);
}

static long each_address_of_bucket(__u32 i, struct env *e)
{
	struct inet_bind2_bucket *address = (void *)((char *)e->inner - bpf_core_field_offset(struct inet_bind2_bucket, bhash_node));
	if (!e->inner) return 1;
	e->inner = BPF_CORE_READ(address, bhash_node.next);
	e->owner = BPF_CORE_READ(address, owners.first);
	if (e->owner) bpf_loop(LONGEST_CHAIN, each_owner, e, 0);
	return is_full(e);
}

static long each_bucket(__u32 i, struct env *e)
{
	struct inet_bind_bucket *bucket = (void *)((char *)e->at - bpf_core_field_offset(struct inet_bind_bucket, node));
	struct inet_bind_bucket___old *old = (void *)bucket;
	struct record *r;
	__u8 blocked;
	__u32 port;
	if (!e->at) {
		e->is_over = 1;
		return 1;
	}
	e->at = BPF_CORE_READ(bucket, node.next);
	meet_net(e, BPF_CORE_READ(bucket, ib_net.net));
	port = BPF_CORE_READ(bucket, port);
	// inet_bhashfn() of include/net/inet_hashtables.h. One that was freed and taken for another port leads into another chain.
	if (((port + e->hash_mix) & e->mask) != e->slot) {
		e->alien++;
		return 1;
	}
	e->port = port;
	blocked = (BPF_CORE_READ(bucket, fastreuse) >= 0 || BPF_CORE_READ(bucket, fastreuseport) >= 0) ? FLAG_BLOCKED : 0;
	r = next_record(e);
	if (r) {
		r->kind = KIND_BUCKET;
		r->flags = blocked;
		r->port = port;
		r->netns = e->netns;
		r->device = BPF_CORE_READ(bucket, l3mdev);
	}
	if (!blocked || e->is_full) return is_full(e);
	if (bpf_core_field_exists(old->owners)) {
		e->owner = BPF_CORE_READ(old, owners.first);
		if (e->owner) bpf_loop(LONGEST_CHAIN, each_owner, e, 0);
	} else {
		e->inner = BPF_CORE_READ(bucket, bhash2.first);
		bpf_loop(LONGEST_CHAIN, each_address_of_bucket, e, 0);
	}
	return is_full(e);
}

static long each_try_of_buckets(__u32 i, struct env *e)
{
	struct inet_bind_hashbucket *slot = (void *)(e->table + (__u64)e->slot * bpf_core_type_size(struct inet_bind_hashbucket));
	begin_chain(e);
	e->at = BPF_CORE_READ(slot, chain.first);
	bpf_loop(LONGEST_CHAIN, each_bucket, e, 0);
	return is_done(e);
}

static long each_bind_slot(__u32 i, struct env *e)
{
	struct inet_bind_hashbucket *slot = (void *)(e->table + (__u64)(e->first_slot + i) * bpf_core_type_size(struct inet_bind_hashbucket));
	if (!BPF_CORE_READ(slot, chain.first)) return 0;
	begin_slot(e, e->first_slot + i);
	bpf_loop(TRIES, each_try_of_buckets, e, 0);
	return end_slot(e);
}

SEC("syscall") int bind_buckets(struct walk *w)
{
	struct inet_hashinfo *hashinfo = BPF_CORE_READ(net_of_thread(), ipv4.tcp_death_row.hashinfo);
	struct env e = { .table = (char *)BPF_CORE_READ(hashinfo, bhash) };
	__u32 slots = BPF_CORE_READ(hashinfo, bhash_size);
	e.mask = slots - 1;
	begin(&e, w);
	if (e.first_slot < slots) bpf_loop(slots - e.first_slot, each_bind_slot, &e, 0);
	end(&e, w, slots, slots);
	return 0;
}
