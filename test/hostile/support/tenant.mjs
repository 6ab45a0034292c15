// What an unprivileged user can do with a user namespace and a delegated cgroup, all at once. Arguments: the cgroup's directory,
// a directory for files, and names of cgroups that are not its own. Says `ready` once everything is there, and goes on until it is killed.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { chdir, cwd } from 'node:process';

const [, , cgroup = '', room = '', ...claimed] = process.argv;
const attempt = (act) => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

/** A process of its own network namespace in that cgroup. */
function settle(directory, title) {
  attempt(() => mkdirSync(directory, { recursive: true }));
  const child = spawn(
    'unshare',
    ['--net', process.execPath, '-e', 'process.title = process.argv[1]; setInterval(() => {}, 1e6)', title],
    { stdio: 'ignore' },
  );
  attempt(() => writeFileSync(join(directory, 'cgroup.procs'), String(child.pid)));
}

// Cgroups that look like another's, at the place of its own and nested.
for (const name of claimed) {
  settle(join(cgroup, name), 'sshd');
  settle(join(cgroup, 'a', 'b', name), 'kubelet');
}
// A path of more than 5000 bytes.
const home = cwd();
attempt(() => {
  chdir(cgroup);
  for (let n = 0; n < 26; n++) {
    mkdirSync('x'.repeat(200));
    chdir('x'.repeat(200));
  }
});
attempt(() => {
  const deep = spawn('unshare', ['--net', 'sleep', '1000'], { stdio: 'ignore' });
  writeFileSync('cgroup.procs', String(deep.pid));
});
chdir(home);
// Many of them.
for (let n = 0; n < 300; n++) attempt(() => mkdirSync(join(cgroup, `flood-${n}.service`)));
// Descriptors of long paths, and of links that lead nowhere.
attempt(() => {
  chdir(room);
  symlinkSync('loop', 'loop');
  for (let n = 0; n < 25; n++) {
    mkdirSync('y'.repeat(200));
    chdir('y'.repeat(200));
  }
  for (let n = 0; n < 20; n++) openSync(`file-${n}`, 'w');
  chdir('/');
});
// Ports of its own namespace, up to the last one.
execFileSync('ip', ['link', 'set', 'lo', 'up']);
writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '40000 40099');
const server = createServer().listen(3306, '127.0.0.1');
server.on('listening', () => {
  for (let n = 0; n < 120; n++) connect(3306, '127.0.0.1').on('error', () => {});
  for (let port = 8000; port < 8200; port++) createServer().listen(port, '127.0.0.1');
  process.title = '\u001b]0;x\u0007\nport_exhaustion_ratio{netns="host"} 1';
  console.log('ready');
});
// And namespaces that come and go.
setInterval(() => {
  if (readdirSync('/proc').length < 4000)
    spawn('unshare', ['--net', '--mount', 'sleep', '0.2'], { stdio: 'ignore' });
}, 50);
