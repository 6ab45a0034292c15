// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// bind() of UDP to port 0: inet_bind() and inet6_bind(), which say EADDRINUSE where no port was found, and otherwise only of
// ports that the caller chose.
#include "refusedBinds.h"

#define EADDRINUSE 98

struct sockaddr_in { __u16 family; __be16 port; __be32 address; };
struct sockaddr_in6 { __u16 family; __be16 port; __u32 flowinfo; __u8 address[16]; };

SEC("fexit/inet_bind") int BPF_PROG(udp_binds, struct socket *socket, void *address, int length, int result)
{
	struct destination_key to = {};
	struct sockaddr_in asked;
	struct sock *sk;
	if (result != -EADDRINUSE) return 0;
	sk = BPF_CORE_READ((struct socket___call *)socket, sk);
	if (protocol_of(sk) != IPPROTO_UDP || bpf_probe_read_kernel(&asked, sizeof asked, address) || asked.port) return 0;
	*(__u32 *)to.local = asked.address;
	return count_refused_bind(&to, sk);
}

SEC("fexit/inet6_bind") int BPF_PROG(udp6_binds, struct socket *socket, void *address, int length, int result)
{
	struct destination_key to = {};
	struct sockaddr_in6 asked;
	struct sock *sk;
	if (result != -EADDRINUSE) return 0;
	sk = BPF_CORE_READ((struct socket___call *)socket, sk);
	if (protocol_of(sk) != IPPROTO_UDP || bpf_probe_read_kernel(&asked, sizeof asked, address) || asked.port) return 0;
	__builtin_memcpy(to.local, asked.address, sizeof to.local);
	return count_refused_bind(&to, sk);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
