// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// connect() and sendto() of UDP without bind(): inet_autobind(), which fails where no port was found.
#include "refusedBinds.h"

SEC("fexit/inet_autobind") int BPF_PROG(udp_connects, struct sock *sk, int result)
{
	struct destination_key to = {};
	if (!result || protocol_of(sk) != IPPROTO_UDP) return 0;
	return count_refused_bind(&to, sk);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
