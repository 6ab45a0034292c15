import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { ifReadable } from '../base/ifReadable.ts';
import { readMessages } from '../base/messageStream.ts';
import { type CpuUse, parseCpuUse } from '../owners/processStat.ts';
import type { SamplerMessage } from '../snapshot/samplerMessage.ts';

export interface SamplerEvents {
  message: [message: SamplerMessage];
  /** `how` completes a sentence: `was killed by SIGKILL`. Nothing comes after it. */
  ended: [how: string];
}

/** A process that samples. What lies behind it is messages, so that a test can be the process. */
export interface SamplerProcess extends EventEmitter<SamplerEvents> {
  /** By SIGKILL: it may hang in a system call. */
  kill(): void;
  /** What it does with the processor; undefined where that cannot be told. */
  cpuUse(): CpuUse | undefined;
}

/** One of which nothing is known yet but how to kill it and, once it has one, its process id. */
export function newSampler(kill: () => void, pid: () => number | undefined): SamplerProcess {
  return Object.assign(new EventEmitter<SamplerEvents>(), {
    kill,
    cpuUse: () => ifReadable(() => parseCpuUse(readFileSync(`/proc/${pid()}/stat`))),
  });
}

/** What the sampler says on this socket from now on. */
export function hear(sampler: SamplerProcess, socket: Socket): void {
  // What breaks the connection ends the sampler too, which is heard of.
  socket.on('error', () => sampler.kill());
  readMessages(socket, (message) => sampler.emit('message', message as SamplerMessage));
}
