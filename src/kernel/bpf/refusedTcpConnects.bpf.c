// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// connect() of TCP that failed, by the state of its socket (tcp_v4_connect(), tcp_v6_connect(), tcp_done()). Sockets go
// from SYN_SENT to CLOSE
//  - with an error, where an answer or the lack of one ended the attempt;
//  - without one and without a port, before any was ever theirs: no port was found (__inet_hash_connect()), or no memory;
//  - the same with the port of an earlier attempt, inside connect(): the same for a descriptor that tries again. A route
//    that depends on the source port, or a SYN that a security module held back, looks alike;
//  - inside connect() with a port that bind() chose: another connection has these addresses and ports;
//  - outside of connect(): the program gave up.
#include "refusals.h"

#define EADDRNOTAVAIL 99
#define IPPROTO_TCP 6
#define TCP_SYN_SENT 2
// include/uapi/linux/net.h: of a socket that no connect() was accepted of.
#define SS_UNCONNECTED 1

struct inet_sock { __be16 inet_sport; } KERNEL;

// By far more connections fail than are refused: theirs is a map of its own, so that they take no room from these.
COUNTS(failures_0, 4096, struct destination_key);
COUNTS(failures_1, 4096, struct destination_key);

// What src/kernel/blockedPorts.ts asks for, whichever process asks: nobody else connects there from there.
static __always_inline int is_question(const struct destination_key *to)
{
	__u32 here = bpf_htonl(0x7f53440d);
	return to->remote_port == 9 && to->family == AF_INET && *(__u32 *)to->remote == here && *(__u32 *)to->local == here;
}

static __always_inline void read_addresses(struct destination_key *to, struct sock *sk)
{
	to->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (to->family == AF_INET) {
		*(__u32 *)to->local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)to->remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		return;
	}
	BPF_CORE_READ_INTO(&to->local, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO(&to->remote, sk, __sk_common.skc_v6_daddr);
	if (!is_mapped(to->remote)) return;
	to->family = AF_INET;
	unmap(to->local);
	unmap(to->remote);
}

static __always_inline __u32 outcome_of(struct sock *sk)
{
	int error = BPF_CORE_READ((struct sock___call *)sk, sk_err);
	struct socket___call *socket;
	__u32 has_port;
	if (error) return error > 0 && error < OUTCOME_LAST_ERRNO ? error : OUTCOME_LAST_ERRNO;
	has_port = BPF_CORE_READ(sk, __sk_common.skc_num) != 0;
	if (!has_port && !BPF_CORE_READ((struct inet_sock *)sk, inet_sport)) return OUTCOME_REFUSED;
	socket = (void *)BPF_CORE_READ(sk, sk_socket);
	if (BPF_CORE_READ(socket, state) != SS_UNCONNECTED) return 0;
	return has_port ? EADDRNOTAVAIL : OUTCOME_LOOKS_REFUSED;
}

SEC("tp_btf/inet_sock_set_state") int BPF_PROG(tcp_connects, struct sock *sk, int before, int after)
{
	struct destination_key to = {};
	struct totals *sums;
	__u32 which;
	if (before != TCP_SYN_SENT || after != TCP_CLOSE) return 0;
	// A socket of MPTCP goes through these states too, beside those that it has underneath.
	if (protocol_of(sk) != IPPROTO_TCP) return 0;
	to.outcome = outcome_of(sk);
	read_namespace(&to, sk);
	read_addresses(&to, sk);
	if (is_question(&to)) leave_out();
	else if (to.outcome >= OUTCOME_REFUSED) count_refusal(&to, sk);
	else {
		sums = filling(&which);
		if (!sums) return 0;
		count_outcome(sums, which, &to);
		add(which ? (void *)&failures_1 : (void *)&failures_0, &to, &sums->lost_failures);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
