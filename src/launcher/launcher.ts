import '../base/noInspector.ts';
import '../base/v8Flags.ts';
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { createServer, Server, Socket } from 'node:net';
import { errorLine } from '../base/errors.ts';
import { dieWithParent } from '../kernel/ownProcess.ts';
import { socketPair } from '../kernel/socketPair.ts';
import { howItEnded, spawnSampler } from '../sampling/spawnSampler.ts';
import { notifyFor } from '../systemd/notifyCommand.ts';
import type { LauncherError, LauncherNews, LauncherRequest } from './launcherMessage.ts';

// A program of its own: it keeps the capabilities that the process that serves has given up, does nothing but start and kill
// samplers, run systemd-notify and listen on privileged ports, and reads nothing that a stranger wrote. It ends with that process,
// and the samplers with it.

const END_WITHIN_MS = 400;
const samplers = new Map<number, ChildProcess>();
let isEnding = false;

// Those are for the process that serves, but a terminal or a service manager sends them to all.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('message', (request: LauncherRequest) => {
  if (request.kind === 'start') start(request);
  else if (request.kind === 'notify') notify(request);
  else if (request.kind === 'listen') listen(request);
  else if (request.kind === 'end') endAll();
  else samplers.get(request.id)?.kill('SIGKILL');
});
process.on('disconnect', endAll);
dieWithParent();
// It may have ended before.
if (!process.connected) process.exit(0);
say({ kind: 'ready' });

function start({ id, options }: Extract<LauncherRequest, { kind: 'start' }>): void {
  try {
    const [heard, spoken] = socketPair();
    try {
      const sampler = spawnSampler(options, spoken);
      samplers.set(id, sampler);
      sampler.on('error', (error) => end(id, `could not be started: ${errorLine(error)}`));
      sampler.on('exit', (code, signal) => end(id, howItEnded(code, signal)));
      // Not to be read here: what was read would be lost to the one it is sent to.
      const socket = new Socket({ fd: heard, readable: false, writable: true });
      if (sampler.pid === undefined) socket.destroy();
      else say({ kind: 'started', id, pid: sampler.pid }, socket);
    } finally {
      closeSync(spoken);
    }
  } catch (error) {
    end(id, `could not be started: ${errorLine(error)}`);
  }
}

function notify({ id, announcement }: Extract<LauncherRequest, { kind: 'notify' }>): void {
  const answer = (error?: string) => say({ kind: 'notified', id, error });
  notifyFor(process.ppid, announcement).then(
    () => answer(),
    (error: unknown) => answer(errorLine(error)),
  );
}

function listen({ id, address }: Extract<LauncherRequest, { kind: 'listen' }>): void {
  const answer = (error: LauncherError | undefined, socket?: Server) =>
    say({ kind: 'listening', id, error }, socket);
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) =>
    answer({ message: error.message, errno: error.errno }),
  );
  server.listen({ ...address }, () => answer(undefined, server));
}

function end(id: number, how: string): void {
  samplers.delete(id);
  if (isEnding) endWithTheLast();
  else say({ kind: 'ended', id, how });
}

function endAll(): void {
  isEnding = true;
  for (const sampler of samplers.values()) sampler.kill('SIGKILL');
  endWithTheLast();
}

/** One that hangs in the kernel is not waited for: it is killed already. */
function endWithTheLast(): void {
  if (samplers.size === 0) process.exit(0);
  setTimeout(() => process.exit(0), END_WITHIN_MS).unref();
}

function say(news: LauncherNews, socket?: Socket | Server): void {
  process.send?.(news, socket, {}, () => {
    // A server stays open here as well, and would take connections that nobody answers. Where nobody hears it any more,
    // `disconnect` follows.
    if (socket instanceof Server) socket.close();
  });
}
