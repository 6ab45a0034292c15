import { readdirSync } from 'node:fs';
import { ifReadable } from '../base/ifReadable.ts';
import type { SamplerUsage } from '../snapshot/samplerMessage.ts';

/** What this process takes: getrusage(2), proc_pid_statm(5), proc_pid_fd(5). */
export function ownUsage(): SamplerUsage {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    descriptors: ifReadable(() => readdirSync('/proc/self/fd').length),
  };
}
