// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// For the programs that see functions of the kernel return: it was to choose a port for a socket, and found none.
#pragma once

#include "refusals.h"

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

// What src/kernel/loopbackBind.ts marks its sockets with, whichever process asks. It takes no privilege: whoever marks
// sockets of theirs has their refusals counted as left out, and nobody else's.
#define QUESTION_MARK 0x706f727465787072UL
struct sock___marked { unsigned long sk_max_pacing_rate; } KERNEL;

static __always_inline int count_refused_bind(struct destination_key *to, struct sock *sk)
{
	to->outcome = OUTCOME_REFUSED;
	read_namespace(to, sk);
	if (to->family == AF_INET6 && is_mapped(to->local)) {
		to->family = AF_INET;
		unmap(to->local);
	}
	if (BPF_CORE_READ((struct sock___marked *)sk, sk_max_pacing_rate) == QUESTION_MARK) leave_out();
	else count_refusal(to, sk);
	return 0;
}
