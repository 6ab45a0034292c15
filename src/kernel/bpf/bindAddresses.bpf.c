// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Every address that a port of its namespace's ephemeral range is bound on, by bhash2 (net/ipv4/inet_hashtables.c): KIND_ADDRESS
// with family, local address and port, and l3mdev in remote[0]. Where it matters which device a socket is bound to (wildcards,
// link-local addresses, VRFs), one for each socket, with its device and FLAG_V6ONLY; else one for all, without.
#include "walk.h"

static __always_inline void fill_address(struct record *r, struct env *e, struct inet_bind2_bucket *bucket)
{
	struct inet_bind2_bucket___old *old = (void *)bucket;
	__u32 address[4];
	r->kind = KIND_ADDRESS;
	r->family = AF_INET6;
	if (bpf_core_field_exists(old->family)) r->family = BPF_CORE_READ(old, family);
	r->port = BPF_CORE_READ(bucket, port);
	r->netns = e->netns;
	BPF_CORE_READ_INTO(&address, bucket, v6_rcv_saddr);
	put_words(r->local, address);
	r->remote[0] = BPF_CORE_READ(bucket, l3mdev);
}

// A socket, or one in TIME_WAIT, which begins with a sock_common too: e->link is where in it the list goes through.
static long each_holder(__u32 i, struct env *e)
{
	struct sock *sk = (void *)((char *)e->owner - e->link);
	struct record *r;
	if (!e->owner) return 1;
	bpf_probe_read_kernel(&e->owner, sizeof e->owner, e->owner);
	r = next_record(e);
	if (!r) return is_full(e);
	fill_address(r, e, e->inner);
	r->device = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
	r->flags = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only) ? FLAG_V6ONLY : 0;
	return 0;
}

// Whether bind() looks at the devices of the sockets that hold this address.
static __always_inline int needs_holders(struct inet_bind2_bucket *bucket)
{
	struct inet_bind2_bucket___old *old = (void *)bucket;
	__u32 a[4];
	BPF_CORE_READ_INTO(&a, bucket, v6_rcv_saddr);
	if (BPF_CORE_READ(bucket, l3mdev)) return 1;
	if (bpf_core_field_exists(old->family) && BPF_CORE_READ(old, family) == AF_INET) return a[0] == 0;
	// ::, ::ffff:0.0.0.0 and fe80::/10
	if (a[0] == 0 && a[1] == 0 && (a[2] == 0 || a[2] == bpf_htonl(0xffff))) return a[3] == 0;
	return (a[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static long each_bound_address(__u32 i, struct env *e)
{
	struct inet_bind2_bucket *bucket = (void *)((char *)e->at - bpf_core_field_offset(struct inet_bind2_bucket, node));
	struct inet_bind2_bucket___old *old = (void *)bucket;
	struct record *r;
	__u16 port;
	if (!e->at) {
		e->is_over = 1;
		return 1;
	}
	e->at = BPF_CORE_READ(bucket, node.next);
	meet_net(e, BPF_CORE_READ(bucket, ib_net.net));
	port = BPF_CORE_READ(bucket, port);
	if (port < e->first_port || port > e->last_port) return 0;
	if (needs_holders(bucket)) {
		e->inner = bucket;
		e->owner = BPF_CORE_READ(bucket, owners.first);
		e->link = bpf_core_field_offset(struct sock_common, skc_bind_node);
		if (bpf_core_field_exists(struct sock___old, sk_bind2_node)) e->link = bpf_core_field_offset(struct sock___old, sk_bind2_node);
		bpf_loop(LONGEST_CHAIN, each_holder, e, 0);
		if (bpf_core_field_exists(old->deathrow) && !e->is_full) {
			e->owner = BPF_CORE_READ(old, deathrow.first);
			e->link = bpf_core_field_offset(struct inet_timewait_sock___old, tw_bind2_node);
			bpf_loop(LONGEST_CHAIN, each_holder, e, 0);
		}
	} else {
		r = next_record(e);
		if (r) fill_address(r, e, bucket);
	}
	return is_full(e);
}

static long each_address_slot(__u32 i, struct env *e)
{
	struct inet_bind_hashbucket *slot = (void *)(e->table + (__u64)(e->first_slot + i) * bpf_core_type_size(struct inet_bind_hashbucket));
	void *first = BPF_CORE_READ(slot, chain.first);
	if (!first) return 0;
	begin_slot(e, e->first_slot + i);
	e->at = first;
	bpf_loop(LONGEST_CHAIN, each_bound_address, e, 0);
	return end_slot(e);
}

SEC("syscall") int bind_addresses(struct walk *w)
{
	struct inet_hashinfo *hashinfo = BPF_CORE_READ(net_of_thread(), ipv4.tcp_death_row.hashinfo);
	struct env e = { .table = (char *)BPF_CORE_READ(hashinfo, bhash2) };
	__u32 slots = BPF_CORE_READ(hashinfo, bhash_size);
	begin(&e, w);
	if (e.first_slot < slots) bpf_loop(slots - e.first_slot, each_address_slot, &e, 0);
	end(&e, w, slots, slots);
	return 0;
}
