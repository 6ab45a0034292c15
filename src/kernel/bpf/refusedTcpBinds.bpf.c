// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// bind() of TCP to port 0, and listen() without bind(): inet_csk_get_port(), where no port was found.
#include "refusedBinds.h"

SEC("fexit/inet_csk_get_port") int BPF_PROG(tcp_binds, struct sock *sk, unsigned short port, int result)
{
	struct destination_key to = {};
	if (!result || port || protocol_of(sk) != IPPROTO_TCP) return 0;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6)
		BPF_CORE_READ_INTO(&to.local, sk, __sk_common.skc_v6_rcv_saddr);
	else *(__u32 *)to.local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	return count_refused_bind(&to, sk);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
