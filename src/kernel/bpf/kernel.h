// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// The parts of the kernel's types that the programs read. Offsets are those of the running kernel: its loader relocates
// every access by the kernel's own BTF (CO-RE), so only names and kinds must match. `___old` flavours are of older ones.
#pragma once

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define KERNEL __attribute__((preserve_access_index))

#define AF_INET 2
#define AF_INET6 10
// include/net/tcp_states.h
#define TCP_ESTABLISHED 1
#define TCP_SYN_RECV 3
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12

struct hlist_node { struct hlist_node *next; } KERNEL;
struct hlist_head { struct hlist_node *first; } KERNEL;
struct list_head { struct list_head *next; } KERNEL;
struct hlist_nulls_node { struct hlist_nulls_node *next; } KERNEL;
struct hlist_nulls_head { struct hlist_nulls_node *first; } KERNEL;

struct in6_addr { union { __u8 u6_addr8[16]; __be32 u6_addr32[4]; } in6_u; } KERNEL;

struct ns_common { unsigned int inum; } KERNEL;
struct inet_hashinfo;
struct udp_table;
struct inet_timewait_death_row { struct inet_hashinfo *hashinfo; } KERNEL;
// net.ipv4.ip_local_port_range: the last port in the upper half. Before 6.8 two numbers.
struct local_ports { __u32 range; } KERNEL;
struct local_ports___old { int range[2]; } KERNEL;
struct netns_ipv4 {
	struct inet_timewait_death_row tcp_death_row;
	struct local_ports ip_local_ports;
	struct udp_table *udp_table;
	int sysctl_tcp_fin_timeout;
	int sysctl_tcp_keepalive_intvl;
	unsigned char sysctl_tcp_tw_reuse;
	unsigned char sysctl_tcp_timestamps;
	unsigned char sysctl_tcp_l3mdev_accept;
	unsigned int sysctl_tcp_tw_reuse_delay;
	unsigned long *sysctl_local_reserved_ports;
} KERNEL;
struct net { struct ns_common ns; __u32 hash_mix; struct list_head list; __u64 net_cookie; struct netns_ipv4 ipv4; } KERNEL;
typedef struct { struct net *net; } possible_net_t;
struct nsproxy { struct net *net_ns; } KERNEL;
struct pid;
struct files_struct;
struct task_struct {
	struct nsproxy *nsproxy;
	struct files_struct *files;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
} KERNEL;

struct inet_bind_hashbucket { struct hlist_head chain; } KERNEL;
struct inet_listen_hashbucket { struct hlist_nulls_head nulls_head; } KERNEL;
struct inet_ehash_bucket { struct hlist_nulls_head chain; } KERNEL;
struct inet_hashinfo {
	struct inet_ehash_bucket *ehash;
	unsigned int ehash_mask;
	struct inet_bind_hashbucket *bhash;
	struct inet_bind_hashbucket *bhash2;
	unsigned int bhash_size;
	unsigned int lhash2_mask;
	struct inet_listen_hashbucket *lhash2;
	_Bool pernet;
} KERNEL;

struct inet_bind_bucket {
	possible_net_t ib_net;
	int l3mdev;
	unsigned short port;
	signed char fastreuse;
	signed char fastreuseport;
	struct hlist_node node;
	struct hlist_head bhash2;
} KERNEL;
// Before 6.8 sockets hang in the bucket itself, by their skc_bind_node.
struct inet_bind_bucket___old { struct hlist_head owners; } KERNEL;
struct inet_bind2_bucket {
	possible_net_t ib_net;
	int l3mdev;
	unsigned short port;
	struct in6_addr v6_rcv_saddr;
	struct hlist_node node;
	struct hlist_node bhash_node;
	struct hlist_head owners;
} KERNEL;
// Before 6.8 an IPv4 address is not mapped, and what hangs in the bucket hangs by another node: TIME_WAIT in a list of its own.
struct inet_bind2_bucket___old { unsigned short family; struct hlist_head deathrow; } KERNEL;

struct sock_common {
	union { struct { __be32 skc_daddr; __be32 skc_rcv_saddr; }; };
	union { unsigned int skc_hash; };
	union { struct { __be16 skc_dport; __u16 skc_num; }; };
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	int skc_bound_dev_if;
	union { struct hlist_node skc_bind_node; };
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	union { struct hlist_node skc_node; struct hlist_nulls_node skc_nulls_node; };
} KERNEL;

typedef struct { int counter; } atomic_t;
// Since 6.18 drops are counted for each NUMA node, of sockets that have these.
struct numa_drop_counters { atomic_t drops0, drops1; } KERNEL;
struct kernfs_node { __u64 id; } KERNEL;
struct cgroup { struct kernfs_node *kn; } KERNEL;
struct sock_cgroup_data { struct cgroup *cgroup; } KERNEL;
struct inode { unsigned short i_mode; unsigned long i_ino; } KERNEL;
struct file;
struct socket { short type; struct file *file; } KERNEL;
struct socket_alloc { struct socket socket; struct inode vfs_inode; } KERNEL;
struct sock {
	struct sock_common __sk_common;
	atomic_t sk_drops;
	struct { atomic_t rmem_alloc; } sk_backlog;
	struct socket *sk_socket;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	struct sock_cgroup_data sk_cgrp_data;
	struct numa_drop_counters *sk_drop_counters;
} KERNEL;
struct udp_sock { int forward_deficit; } KERNEL;
struct udp_hslot { union { struct hlist_head head; }; } KERNEL;
struct udp_table { struct udp_hslot *hash; unsigned int mask; } KERNEL;
struct inet_connection_sock { struct inet_bind_bucket *icsk_bind_hash; } KERNEL;
struct sock___old { struct hlist_node sk_bind2_node; } KERNEL;
struct inet_timewait_sock___old { struct hlist_node tw_bind2_node; } KERNEL;

struct timer_list { unsigned long expires; } KERNEL;
struct inet_timewait_sock {
	struct sock_common __tw_common;
	unsigned char tw_substate;
	__u32 tw_entry_stamp;
	struct timer_list tw_timer;
	struct inet_bind_bucket *tw_tb;
} KERNEL;
struct tcp_timewait_sock { struct inet_timewait_sock tw_sk; int tw_ts_recent_stamp; } KERNEL;

static __always_inline struct net *net_of_thread(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	return BPF_CORE_READ(task, nsproxy, net_ns);
}
