// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// What every program that counts failed calls does with one: it adds to maps that user space reads and empties
// (src/refusals/). All of them are bounded; what there was no room for is counted, so that it can be said.
#pragma once

#include "kernel.h"
#include <bpf/bpf_tracing.h>

// Flavours: others of these names are in kernel.h.
struct sock___call { int sk_err; __u16 sk_protocol; } KERNEL;
// An enum in the kernel, which a relocation tells from an int.
typedef enum { SOCKET_STATE } socket_state;
struct socket___call { socket_state state; struct sock *sk; } KERNEL;

// How a call ended. Below 256 a connect() that failed, by its errno.
#define OUTCOME_LAST_ERRNO 255
// Refused for want of a port.
#define OUTCOME_REFUSED 256
// The same in all likelihood.
#define OUTCOME_LOOKS_REFUSED 257
#define OUTCOMES 258

struct namespace_key { __u64 cookie; __u32 netns, outcome; };
struct owner_key { __u64 cookie, cgroup; __u32 netns, outcome; };
// Addresses as they are in a packet, IPv4's in the first four bytes; mapped ones are IPv4's. The port is in host order.
struct destination_key {
	__u64 cookie;
	__u32 netns;
	__u16 family, outcome;
	__u8 local[16], remote[16];
	__u16 remote_port, pad[3];
};
// A refusal, and who made the call. `when` is CLOCK_MONOTONIC's.
struct event {
	struct destination_key to;
	__u64 when, cgroup;
	__u32 pid, tgid;
	char comm[16];
};

// Of the host: whole, whatever else is full.
struct totals {
	// Of the following that it is in no record of its kind: there was no room.
	__u64 lost_namespaces, lost_destinations, lost_failures, lost_owners, lost_events;
	// Calls that the exporter made itself; they are nowhere else.
	__u64 left_out;
	__u64 by_outcome[OUTCOMES];
};

// User space empties one generation of the maps while the programs fill the other.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} generation SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct totals);
} totals SEC(".maps");

// An entry takes no memory before it is needed, which on most hosts is never.
#define COUNTS(name, entries, type_of_key) \
	struct { \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__uint(max_entries, entries); \
		__type(key, type_of_key); \
		__type(value, __u64); \
	} name SEC(".maps")

COUNTS(namespaces_0, 8192, struct namespace_key);
COUNTS(namespaces_1, 8192, struct namespace_key);
COUNTS(destinations_0, 4096, struct destination_key);
COUNTS(destinations_1, 4096, struct destination_key);
COUNTS(owners_0, 2048, struct owner_key);
COUNTS(owners_1, 2048, struct owner_key);

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 2048);
	__type(value, struct event);
} events SEC(".maps");

static __always_inline void add(void *map, const void *key, __u64 *lost)
{
	__u64 one = 1, *count = bpf_map_lookup_elem(map, key);
	if (!count) {
		if (!bpf_map_update_elem(map, key, &one, BPF_NOEXIST)) return;
		// Another processor was faster, or there is no room.
		count = bpf_map_lookup_elem(map, key);
	}
	__sync_fetch_and_add(count ? count : lost, 1);
}

// The totals of the generation that is being filled; NULL is for the verifier.
static __always_inline struct totals *filling(__u32 *which)
{
	__u32 zero = 0, *now = bpf_map_lookup_elem(&generation, &zero);
	if (!now) return 0;
	*which = *now & 1;
	return bpf_map_lookup_elem(&totals, which);
}

static __always_inline void count_outcome(struct totals *sums, __u32 which, const struct destination_key *to)
{
	struct namespace_key key = { .cookie = to->cookie, .netns = to->netns, .outcome = to->outcome };
	if (key.outcome >= OUTCOMES) return;
	__sync_fetch_and_add(&sums->by_outcome[key.outcome], 1);
	add(which ? (void *)&namespaces_1 : (void *)&namespaces_0, &key, &sums->lost_namespaces);
}

// Tells all there is of a refused call. It is that of the current task.
static __always_inline void count_refusal(const struct destination_key *to, struct sock *sk)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct owner_key owner = { .cookie = to->cookie, .netns = to->netns, .outcome = to->outcome };
	struct event event = { .to = *to, .when = bpf_ktime_get_ns(), .pid = pid_tgid, .tgid = pid_tgid >> 32 };
	struct totals *sums;
	__u32 which;
	sums = filling(&which);
	if (!sums) return;
	count_outcome(sums, which, to);
	add(which ? (void *)&destinations_1 : (void *)&destinations_0, to, &sums->lost_destinations);
	owner.cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
	add(which ? (void *)&owners_1 : (void *)&owners_0, &owner, &sums->lost_owners);
	event.cgroup = owner.cgroup;
	bpf_get_current_comm(event.comm, sizeof event.comm);
	if (bpf_map_push_elem(&events, &event, 0)) __sync_fetch_and_add(&sums->lost_events, 1);
}

static __always_inline void leave_out(void)
{
	__u32 which;
	struct totals *sums = filling(&which);
	if (sums) __sync_fetch_and_add(&sums->left_out, 1);
}

static __always_inline __u16 protocol_of(struct sock *sk)
{
	return BPF_CORE_READ((struct sock___call *)sk, sk_protocol);
}

static __always_inline void read_namespace(struct destination_key *to, struct sock *sk)
{
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	to->cookie = BPF_CORE_READ(net, net_cookie);
	to->netns = BPF_CORE_READ(net, ns.inum);
	to->family = BPF_CORE_READ(sk, __sk_common.skc_family);
}

static __always_inline __u32 is_mapped(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;
	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

// What is mapped becomes the IPv4 address that it stands for, and what is not (::, before an address is chosen) 0.0.0.0.
static __always_inline void unmap(__u8 *address)
{
	__u32 *words = (__u32 *)address;
	words[0] = is_mapped(address) ? words[3] : 0;
	words[1] = words[2] = words[3] = 0;
}
