// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Every TCP connection of every namespace, by ehash (net/ipv4/inet_hashtables.c), TIME_WAIT and request sockets too. The
// inode only where inodes are wanted; whether a file refers to it where a port has a listener; the cgroup where the port can
// be chosen automatically; extra = its VRF. TIME_WAIT: extra = jiffies left, cgroup[0] = milliseconds since it began as
// connect() counts them, cgroup[1] = its VRF.
#include "walk.h"

// A socket up to its place in the chain, so that most of them take one read.
#define COMMON_BYTES 128
#define FIELD(type, field) (*(type *)(common + (bpf_core_field_offset(struct sock_common, field) & (COMMON_BYTES - 1))))

static __always_inline void fill_time_wait(struct record *r, struct env *e, char *sk)
{
	struct tcp_timewait_sock *tcp = (void *)sk;
	struct inet_timewait_sock *tw = (void *)sk;
	int stamp;
	r->state = BPF_CORE_READ(tw, tw_substate);
	// What lingers in FIN_WAIT2 is of this kind too: it has no age, and no cgroup in the words of one.
	if (r->state != TCP_TIME_WAIT) {
		r->extra = vrf_of(r, r->device ? BPF_CORE_READ(tw, tw_tb) : 0);
		return;
	}
	r->cgroup[1] = vrf_of(r, r->device ? BPF_CORE_READ(tw, tw_tb) : 0);
	stamp = BPF_CORE_READ(tcp, tw_ts_recent_stamp);
	if (stamp) r->flags |= FLAG_TIMESTAMPS;
	r->extra = BPF_CORE_READ(tw, tw_timer.expires) - e->jiffies;
	// tcp_twsk_unique() of net/ipv4/tcp_ipv4.c: since 6.14 by the time it began, before by whole seconds of the last timestamp.
	if (bpf_core_field_exists(tw->tw_entry_stamp)) r->cgroup[0] = e->now_ms - BPF_CORE_READ(tw, tw_entry_stamp);
	else r->cgroup[0] = (e->now_s - stamp) * 1000;
}

static __always_inline void fill_holder(struct record *r, struct env *e, struct sock *sk)
{
	__u32 zero = 0;
	struct ports *ports;
	struct socket *socket;
	if (e->wants_inodes) {
		socket = BPF_CORE_READ(sk, sk_socket);
		r->inode = inode_of(socket);
		if (socket) r->flags |= FLAG_HAS_FILE;
	} else if (r->state == TCP_ESTABLISHED || r->state == TCP_CLOSE_WAIT) {
		ports = bpf_map_lookup_elem(&listening, &zero);
		if (ports && (ports->bits[r->port >> 3] >> (r->port & 7)) & 1 && BPF_CORE_READ(sk, sk_socket)) r->flags |= FLAG_HAS_FILE;
	}
	r->extra = vrf_of_socket(r, sk);
	if (e->wants_cgroups && r->port >= e->first_port && r->port <= e->last_port) read_cgroup(r, sk);
}

static long each_connection(__u32 i, struct env *e)
{
	const __u32 node = bpf_core_field_offset(struct sock_common, skc_nulls_node);
	char common[COMMON_BYTES] __attribute__((aligned(8)));
	struct record *r;
	char *sk = (char *)e->at - node;
	__u8 state;
	if ((__u64)e->at & 1) {
		e->is_over = (__u32)((__u64)e->at >> 1) == e->slot;
		return 1;
	}
	if (bpf_probe_read_kernel(common, (node + sizeof(void *)) & (COMMON_BYTES - 1), sk)) return 1;
	e->at = *(void **)(common + (node & (COMMON_BYTES - 1)));
	if ((FIELD(__u32, skc_hash) & e->mask) != e->slot) {
		e->alien++;
		return 1;
	}
	r = next_record(e);
	if (!r) return is_full(e);
	meet_net(e, FIELD(struct net *, skc_net));
	state = FIELD(__u8, skc_state);
	r->state = state == TCP_NEW_SYN_RECV ? TCP_SYN_RECV : state;
	r->kind = KIND_SOCKET;
	r->family = FIELD(__u16, skc_family);
	r->port = FIELD(__u16, skc_num);
	r->remote_port = bpf_ntohs(FIELD(__u16, skc_dport));
	r->netns = e->netns;
	r->device = FIELD(__u32, skc_bound_dev_if);
	if (r->family == AF_INET6) {
		put_words(r->local, &FIELD(__u32, skc_v6_rcv_saddr));
		put_words(r->remote, &FIELD(__u32, skc_v6_daddr));
	} else {
		r->local[0] = bpf_ntohl(FIELD(__u32, skc_rcv_saddr));
		r->remote[0] = bpf_ntohl(FIELD(__u32, skc_daddr));
	}
	if (state == TCP_TIME_WAIT) fill_time_wait(r, e, sk);
	else if (state != TCP_NEW_SYN_RECV) fill_holder(r, e, (void *)sk);
	return 0;
}

static long each_try_of_connections(__u32 i, struct env *e)
{
	struct inet_ehash_bucket *slot = (void *)(e->table + (__u64)e->slot * bpf_core_type_size(struct inet_ehash_bucket));
	begin_chain(e);
	bpf_probe_read_kernel(&e->at, sizeof e->at, slot);
	bpf_loop(LONGEST_CHAIN, each_connection, e, 0);
	return is_done(e);
}

static long each_connection_slot(__u32 i, struct env *e)
{
	struct inet_ehash_bucket *slot = (void *)(e->table + (__u64)(e->first_slot + i) * bpf_core_type_size(struct inet_ehash_bucket));
	// Most slots are empty, or hold one: no more is spent on those.
	bpf_probe_read_kernel(&e->at, sizeof e->at, slot);
	if ((__u64)e->at & 1) {
		// Of a chain that was told in part, the rest may be gone.
		e->skip = e->zero;
		return 0;
	}
	begin_slot(e, e->first_slot + i);
	bpf_loop(TRIES, each_try_of_connections, e, 0);
	return end_slot(e);
}

SEC("syscall") int connections(struct walk *w)
{
	struct inet_hashinfo *hashinfo = BPF_CORE_READ(net_of_thread(), ipv4.tcp_death_row.hashinfo);
	struct env e = { .table = (char *)BPF_CORE_READ(hashinfo, ehash), .jiffies = bpf_jiffies64() };
	__u64 now = bpf_ktime_get_ns();
	__u32 slots;
	e.mask = BPF_CORE_READ(hashinfo, ehash_mask);
	e.now_ms = now / 1000000;
	e.now_s = now / 1000000000;
	slots = e.mask + 1;
	begin(&e, w);
	if (e.first_slot < slots) bpf_loop(slots - e.first_slot, each_connection_slot, &e, 0);
	end(&e, w, slots, slots);
	return 0;
}
