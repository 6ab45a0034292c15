// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// How a kernel hash table is walked in parts: each run of a program fills the buffer with whole slots and says where the
// next run begins, so that neither the kernel's memory nor ours grows with the table.
#pragma once

#include "kernel.h"

#define RECORDS 4096
// What the kernel's own loops never reach: a broken chain must end.
#define LONGEST_CHAIN 1048576
#define TRIES 4

// One socket, bind bucket or bound address; see the programs for what they fill. All of it is in host order.
struct record {
	__u8 state, kind, flags, family;
	__u16 port, remote_port;
	__u32 netns, device;
	__u32 local[4], remote[4];
	__u32 inode, cgroup[2], extra;
};

#define KIND_SOCKET 0
#define KIND_BUCKET 1
#define KIND_ADDRESS 2
#define KIND_NAMESPACE 3
#define KIND_HOLDER 4

#define FLAG_V6ONLY 1
// A file refers to it: accept() returned it, or socket().
#define FLAG_HAS_FILE 2
// TIME_WAIT: the connection used TCP timestamps.
#define FLAG_TIMESTAMPS 4
// A bind bucket that no connect() may share.
#define FLAG_BLOCKED 8

struct buffer { struct record records[RECORDS]; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct buffer);
} records SEC(".maps");

// Ports that any listener has, a bit each.
struct ports { __u8 bits[8192]; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ports);
} listening SEC(".maps");

// Files that are the sockets of listeners, a bit each by their address: some others have one that is set too.
#define FILE_BITS 1048576
struct file_bits { __u8 bits[FILE_BITS / 8]; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct file_bits);
} listener_files SEC(".maps");

// What user space says, and is told.
struct walk {
	// In: where to begin. Out: where to go on; `slots` when all is done.
	__u32 next;
	// In and out: records of the slot `next` that were told already.
	__u32 skip;
	// In: 0. Out: records in the buffer.
	__u32 count;
	// Out: slots of the table.
	__u32 slots;
	// In: whether the inode of every connection is wanted, and the cgroup of those whose port can be chosen automatically.
	__u32 wants_inodes, wants_cgroups;
	// Out: chains that were never whole, and entries that belonged elsewhere.
	__u32 torn, alien;
	// Out, of `identify`: see there.
	__u32 netns, is_pernet;
	// In, of `reserved_ports`: a struct net.
	__u64 net;
	__u32 pad;
	// In: 0, of which the verifier knows nothing: a counter that begins with a constant has it try every number.
	__u32 zero;
};

struct env {
	char *table;
	void *at;
	// Within a bind bucket: an address of it, and a socket of that, which hangs by what is so many bytes behind its beginning.
	void *inner, *owner;
	__u64 link;
	struct net *net;
	__u32 netns, hash_mix, mask, slot;
	__u32 first_slot, count, start, skip, told;
	__u32 is_full, is_over, torn, alien, zero;
	__u32 wants_inodes, wants_cgroups, first_port, last_port;
	__u32 now_ms, now_s;
	// Where the next leaf of pids begins, the level of their namespace, the descriptor that a word of them begins with, and words
	// of this run.
	__u32 next_pid, level, descriptor, words;
	// Of the bind bucket whose sockets are read.
	__u32 port;
	__u32 bits;
	__u64 jiffies;
};

static __always_inline void begin(struct env *e, struct walk *w)
{
	e->zero = w->zero;
	e->is_full = e->zero;
	e->torn = e->zero;
	e->alien = e->zero;
	e->first_slot = w->next;
	e->count = w->count;
	e->skip = w->skip;
	e->wants_inodes = w->wants_inodes;
	e->wants_cgroups = w->wants_cgroups;
}

static __always_inline void end(struct env *e, struct walk *w, __u32 done, __u32 slots)
{
	w->next = e->is_full ? e->slot : done;
	w->skip = e->is_full ? e->skip : 0;
	w->count = e->count;
	w->slots = slots;
	w->torn = e->torn;
	w->alien = e->alien;
}

// Before a slot is read.
static __always_inline void begin_slot(struct env *e, __u32 slot)
{
	e->slot = slot;
	e->start = e->count;
	e->told = e->zero;
	e->is_over = e->zero;
}

// Before a chain is read, for the first time or again since it led elsewhere.
static __always_inline void begin_chain(struct env *e)
{
	e->count = e->start;
	e->told = e->zero;
}

// After a chain was read: whether it need not be read again.
static __always_inline long is_done(struct env *e)
{
	return (e->is_over | e->is_full) & 1;
}

// After a slot. A slot that did not fit is told by the next run, or, where it began the buffer, its rest is. 1 ends the run.
static __always_inline long end_slot(struct env *e)
{
	if (!e->is_full) {
		if (!e->is_over) e->torn++;
		e->skip = e->zero;
		return 0;
	}
	if (e->start == 0) e->skip = e->told;
	else e->count = e->start;
	return 1;
}

// For the end of a callback: the verifier wants to see that it is 0 or 1.
static __always_inline long is_full(struct env *e)
{
	return e->is_full & 1;
}

// Where the next record goes, which is all 0; NULL where it was told by a run before, or the buffer is full.
static __always_inline struct record *next_record(struct env *e)
{
	__u32 zero = 0;
	struct buffer *buffer;
	struct record *record;
	if (e->told++ < e->skip) return 0;
	if (e->count >= RECORDS) {
		e->told--;
		e->is_full = 1;
		return 0;
	}
	buffer = bpf_map_lookup_elem(&records, &zero);
	if (!buffer) return 0;
	record = &buffer->records[e->count++ & (RECORDS - 1)];
	__builtin_memset(record, 0, sizeof *record);
	return record;
}

static __always_inline void read_range(struct net *net, __u32 *first, __u32 *last)
{
	struct local_ports___old *old = (void *)((char *)net + bpf_core_field_offset(struct net, ipv4.ip_local_ports));
	__u32 range;
	if (bpf_core_field_exists(net->ipv4.ip_local_ports.range)) {
		range = BPF_CORE_READ(net, ipv4.ip_local_ports.range);
		*first = range & 0xffff;
		*last = range >> 16;
	} else {
		*first = BPF_CORE_READ(old, range[0]);
		*last = BPF_CORE_READ(old, range[1]);
	}
}

// Reads what is wanted of a namespace once for many sockets in a row.
static __always_inline void meet_net(struct env *e, struct net *net)
{
	if (net == e->net) return;
	e->net = net;
	e->netns = BPF_CORE_READ(net, ns.inum);
	e->hash_mix = BPF_CORE_READ(net, hash_mix);
	read_range(net, &e->first_port, &e->last_port);
}

// An IPv6 address.
static __always_inline void put_words(__u32 *to, const __u32 *from)
{
	to[0] = bpf_ntohl(from[0]);
	to[1] = bpf_ntohl(from[1]);
	to[2] = bpf_ntohl(from[2]);
	to[3] = bpf_ntohl(from[3]);
}

static __always_inline void read_cgroup(struct record *r, struct sock *sk)
{
	__u64 id = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
	r->cgroup[0] = id;
	r->cgroup[1] = id >> 32;
}

static __always_inline __u32 drops_of(struct sock *sk)
{
	struct numa_drop_counters *counters;
	if (bpf_core_field_exists(sk->sk_drop_counters)) {
		counters = BPF_CORE_READ(sk, sk_drop_counters);
		if (counters) return BPF_CORE_READ(counters, drops0.counter) + BPF_CORE_READ(counters, drops1.counter);
	}
	return BPF_CORE_READ(sk, sk_drops.counter);
}

static __always_inline __u32 inode_of(struct socket *socket)
{
	struct socket_alloc *alloc = (void *)((char *)socket - bpf_core_field_offset(struct socket_alloc, socket));
	return socket ? BPF_CORE_READ(alloc, vfs_inode.i_ino) : 0;
}

// Objects of the kernel's caches are aligned: the lower bits of their address are 0. The factor is that of hash_64(), linux/hash.h.
static __always_inline __u32 bit_of_file(struct file *file)
{
	return ((__u64)file * 0x61c8864680b583ebULL >> 44) & (FILE_BITS - 1);
}

static __always_inline void mark_file_of(struct sock *sk)
{
	struct file *file = BPF_CORE_READ(sk, sk_socket, file);
	__u32 zero = 0, bit = bit_of_file(file);
	struct file_bits *files = bpf_map_lookup_elem(&listener_files, &zero);
	if (files && file) files->bits[bit >> 3] |= 1 << (bit & 7);
}

static __always_inline int is_marked(struct file *file)
{
	__u32 zero = 0, bit = bit_of_file(file);
	struct file_bits *files = bpf_map_lookup_elem(&listener_files, &zero);
	return files && files->bits[bit >> 3] & (1 << (bit & 7));
}

// Everything that a socket has before it is connected.
static __always_inline void fill_unconnected(struct record *r, struct sock *sk, __u32 netns, __u8 state)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	r->state = state;
	r->kind = KIND_SOCKET;
	r->flags = (BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only) ? FLAG_V6ONLY : 0) | (socket ? FLAG_HAS_FILE : 0);
	r->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	r->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	r->netns = netns;
	r->device = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
	if (r->family == AF_INET6) {
		__u32 address[4];
		BPF_CORE_READ_INTO(&address, sk, __sk_common.skc_v6_rcv_saddr);
		put_words(r->local, address);
	} else r->local[0] = bpf_ntohl(BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
	r->inode = inode_of(socket);
	read_cgroup(r, sk);
}

// The VRF whose bind buckets the port is in; 0 for none. Only a socket that is bound to a device has one.
static __always_inline __u32 vrf_of(struct record *r, struct inet_bind_bucket *bucket)
{
	return r->device && bucket ? BPF_CORE_READ(bucket, l3mdev) : 0;
}

static __always_inline __u32 vrf_of_socket(struct record *r, struct sock *sk)
{
	return r->device ? vrf_of(r, BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_bind_hash)) : 0;
}
