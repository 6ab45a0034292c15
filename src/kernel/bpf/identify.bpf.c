// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// What the network namespace of the calling thread is: its inode number, and whether it has an established hash of its own
// (net.ipv4.tcp_child_ehash_entries).
#include "walk.h"

SEC("syscall") int identify(struct walk *w)
{
	struct net *net = net_of_thread();
	struct inet_hashinfo *hashinfo = BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo);
	w->netns = BPF_CORE_READ(net, ns.inum);
	w->is_pernet = BPF_CORE_READ(hashinfo, pernet);
	return 0;
}
