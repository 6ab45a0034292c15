import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorLine } from '../base/errors.ts';
import { holds } from '../kernel/capabilities.ts';
import type { Launcher } from '../launcher/launcherClient.ts';
import type { TcpAddress } from '../launcher/launcherMessage.ts';
import { writeOptions } from '../sampling/handover.ts';
import type { SamplingOptions } from '../sampling/samplingOptions.ts';
import { howItEnded, spawnSampler } from '../sampling/spawnSampler.ts';
import { type Announcing, notifyFor } from '../systemd/notifyCommand.ts';
import { hear, newSampler, type SamplerProcess } from './samplerProcess.ts';

/** Where samplers come from. */
export interface Samplers {
  start(options: SamplingOptions): SamplerProcess;
  /** Ends all of them, and waits until they are gone, but not for one that hangs in the kernel. */
  end(): Promise<void>;
  /** How the service manager is told of the daemon. */
  readonly announcing: Announcing;
  /** Listens where this process may not; undefined where nobody else may either. Rejects as `Launcher.listen` does. */
  readonly listen?: (address: TcpAddress) => Promise<Server>;
}

const END_WITHIN_MS = 500;

/** Samplers that this process starts itself, with its own privileges. */
export function ownSamplers(): Samplers {
  const running = new Set<SamplerProcess>();
  return {
    start(options) {
      const child = spawnSampler(writeOptions(options), 'pipe');
      const sampler = newSampler(
        () => child.kill('SIGKILL'),
        () => child.pid,
      );
      running.add(sampler);
      sampler.once('ended', () => running.delete(sampler));
      child.on('error', (error) => sampler.emit('ended', `could not be started: ${errorLine(error)}`));
      child.on('exit', (code, signal) => sampler.emit('ended', howItEnded(code, signal)));
      const [, , , speaking] = child.stdio;
      if (child.pid !== undefined && speaking) hear(sampler, speaking as Socket);
      return sampler;
    },
    async end() {
      const ended = Promise.all([...running].map((sampler) => once(sampler, 'ended')));
      for (const sampler of running) sampler.kill();
      await Promise.race([ended, sleep(END_WITHIN_MS)]);
    },
    announcing: {
      command: (announcement) => notifyFor(process.pid, announcement),
      mayVouch: holds('CAP_SYS_ADMIN'),
    },
  };
}

/** Samplers that the launcher starts, with the privileges that this process has given up. */
export function launchedSamplers(launcher: Launcher): Samplers {
  return {
    start(options) {
      let pid: number | undefined;
      const launched = launcher.start(writeOptions(options));
      const sampler = newSampler(
        () => launched.kill(),
        () => pid,
      );
      launched.on('started', (socket, startedPid) => {
        pid = startedPid;
        hear(sampler, socket);
      });
      launched.on('ended', (how) => sampler.emit('ended', how));
      return sampler;
    },
    end: () => launcher.end(),
    announcing: launcher.announcing,
    listen: (address) => launcher.listen(address),
  };
}
