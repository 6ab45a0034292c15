// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Which processes hold the sockets that are sought, among those that `listeners` and `udp` marked: by the descriptor tables
// of all processes of the calling thread's pid namespace, in the order of their pids. inode; extra = pid; remote[0] = descriptor.
#include "walk.h"

// include/linux/threads.h, PID_MAX_LIMIT
#define PIDS 4194304
// include/linux/pid.h
#define PIDTYPE_TGID 1
// include/linux/xarray.h: entries of a node, and how deep it gets; an entry with these lower bits is another node.
#define XA_CHUNK 64
#define XA_LEVELS 6
#define XA_NODE 2
#define XA_MASK 3
// include/uapi/linux/stat.h
#define S_IFMT 0170000
#define S_IFSOCK 0140000
// Descriptors in a word of the bitmap of open ones.
#define FILES 64
// Of a process: more than four million descriptors take fs.nr_open to be raised, and are not looked through.
#define MOST_WORDS 65536
// Of a run, which user space ends when it has taken too long: any number of processes may share one large table.
#define RUN_WORDS 65536

struct xarray { void *xa_head; } KERNEL;
struct xa_node { unsigned char shift; void *slots[XA_CHUNK]; } KERNEL;
struct idr { struct xarray idr_rt; } KERNEL;
struct pid_namespace { struct idr idr; } KERNEL;
struct upid { int nr; struct pid_namespace *ns; } KERNEL;
struct pid { unsigned int level; struct hlist_head tasks[4]; struct upid numbers[1]; } KERNEL;
struct fdtable { unsigned int max_fds; void **fd; unsigned long *open_fds; } KERNEL;
struct files_struct { struct fdtable *fdt; } KERNEL;
struct file { struct inode *f_inode; } KERNEL;

// Those of one word.
struct word_of_files { __u64 file[FILES]; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct word_of_files);
} word_of_files SEC(".maps");

// A bit each by the lower half of its inode number.
struct sought { __u8 bits[8192]; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sought);
} sought SEC(".maps");

// The number of a process in the namespace of this level, which is nested in those of lower ones (include/linux/pid.h).
static __always_inline struct upid *number_in(struct pid *pid, __u32 level)
{
	return (void *)((char *)pid + bpf_core_field_offset(struct pid, numbers) + (__u64)level * bpf_core_type_size(struct upid));
}

// e->slot is its pid, e->descriptor the first of the word.
static long each_descriptor(__u32 i, struct env *e)
{
	__u32 zero = 0;
	struct word_of_files *files = bpf_map_lookup_elem(&word_of_files, &zero);
	struct sought *bits = bpf_map_lookup_elem(&sought, &zero);
	struct file *file;
	struct inode *inode;
	struct record *r;
	__u32 number;
	if (!files || !bits) return 1;
	file = (void *)files->file[i & (FILES - 1)];
	if (!file || !is_marked(file)) return 0;
	inode = BPF_CORE_READ(file, f_inode);
	number = BPF_CORE_READ(inode, i_ino);
	if (!(bits->bits[(number & 0xffff) >> 3] & (1 << (number & 7)))) return 0;
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK) return 0;
	r = next_record(e);
	if (!r) return is_full(e);
	r->kind = KIND_HOLDER;
	r->inode = number;
	r->extra = e->slot;
	r->remote[0] = e->descriptor + i;
	return 0;
}

static long each_word_of_files(__u32 i, struct env *e)
{
	struct fdtable *table = e->at;
	__u32 zero = 0;
	struct word_of_files *files = bpf_map_lookup_elem(&word_of_files, &zero);
	unsigned long open = 0;
	if (!files) return 1;
	if (bpf_probe_read_kernel(&open, sizeof open, BPF_CORE_READ(table, open_fds) + i) || !open) return 0;
	if (bpf_probe_read_kernel(files, sizeof *files, BPF_CORE_READ(table, fd) + (__u64)i * FILES)) return 0;
	e->descriptor = i * FILES;
	bpf_loop(FILES, each_descriptor, e, 0);
	return is_full(e);
}

static __always_inline void read_process(struct env *e, struct pid *pid)
{
	struct hlist_node *link = BPF_CORE_READ(pid, tasks[PIDTYPE_TGID].first);
	__u64 offset = bpf_core_field_offset(struct task_struct, pid_links) + PIDTYPE_TGID * bpf_core_type_size(struct hlist_node);
	struct task_struct *task = (void *)((char *)link - offset);
	struct fdtable *table;
	__u32 words;
	// Threads have none, and one that ended meanwhile is another's by now.
	if (!link || BPF_CORE_READ(task, thread_pid) != pid) return;
	table = BPF_CORE_READ(task, files, fdt);
	words = BPF_CORE_READ(table, max_fds) / FILES;
	e->at = table;
	e->words += words < MOST_WORDS ? words : MOST_WORDS;
	bpf_loop(words < MOST_WORDS ? words : MOST_WORDS, each_word_of_files, e, 0);
}

static long each_pid(__u32 i, struct env *e)
{
	struct xa_node *leaf = e->inner;
	__u32 number = e->next_pid + i;
	struct upid *known;
	struct pid *pid;
	bpf_probe_read_kernel(&pid, sizeof pid, (void **)((char *)leaf + bpf_core_field_offset(struct xa_node, slots)) + i);
	if (number < e->first_slot || !pid || (__u64)pid & XA_MASK) return 0;
	known = number_in(pid, e->level);
	if (BPF_CORE_READ(known, nr) != number) return 0;
	begin_slot(e, number);
	read_process(e, pid);
	e->is_over = 1;
	if (end_slot(e)) return 1;
	if (e->words < RUN_WORDS) return 0;
	// The next run begins with the next process.
	e->slot = number + 1;
	e->is_full = 1;
	return 1;
}

// The pids from e->next_pid on that one leaf of the tree has, or past those that a branch would have that is not there.
static long each_leaf(__u32 i, struct env *e)
{
	__u32 index = e->next_pid;
	__u64 entry = (__u64)e->table;
	struct xa_node *node;
	__u32 shift;
	int level;
	for (level = 0; level < XA_LEVELS; level++) {
		node = (void *)(entry - XA_NODE);
		shift = BPF_CORE_READ(node, shift) & 31;
		if (level == 0 && index >> shift >= XA_CHUNK) return 1;
		if (shift == 0) break;
		bpf_probe_read_kernel(&entry, sizeof entry, (__u64 *)((char *)node + bpf_core_field_offset(struct xa_node, slots)) + ((index >> shift) & (XA_CHUNK - 1)));
		if ((entry & XA_MASK) != XA_NODE) {
			e->next_pid = ((index >> shift) + 1) << shift;
			return e->next_pid >= PIDS;
		}
	}
	e->inner = node;
	bpf_loop(XA_CHUNK, each_pid, e, 0);
	e->next_pid = index + XA_CHUNK;
	return (e->is_full | (e->next_pid >= PIDS)) & 1;
}

SEC("syscall") int holders(struct walk *w)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct pid_namespace *namespace = BPF_CORE_READ(number_in(pid, level), ns);
	struct env e = { .table = BPF_CORE_READ(namespace, idr.idr_rt.xa_head), .level = level };
	begin(&e, w);
	e.words = e.zero;
	e.next_pid = e.first_slot & ~(XA_CHUNK - 1U);
	if (((__u64)e.table & XA_MASK) == XA_NODE && e.first_slot < PIDS) bpf_loop(PIDS / XA_CHUNK, each_leaf, &e, 0);
	end(&e, w, PIDS, PIDS);
	return 0;
}
