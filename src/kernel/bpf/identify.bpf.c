// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// What the network namespace of the calling thread is: its inode number, whether it has an established hash of its own
// (net.ipv4.tcp_child_ehash_entries), and two sysctls in jiffies, which tell how many of them a second has.
#include "walk.h"

SEC("syscall") int identify(struct walk *w)
{
	struct net *net = net_of_thread();
	struct inet_hashinfo *hashinfo = BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo);
	w->netns = BPF_CORE_READ(net, ns.inum);
	w->is_pernet = BPF_CORE_READ(hashinfo, pernet);
	w->fin_timeout = BPF_CORE_READ(net, ipv4.sysctl_tcp_fin_timeout);
	w->keepalive_interval = BPF_CORE_READ(net, ipv4.sysctl_tcp_keepalive_intvl);
	return 0;
}
