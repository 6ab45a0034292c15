import type { SamplingOptions } from '../../src/sampling/samplingOptions.ts';

/** What a test reads sockets from, unless it says otherwise: the live tests run over more than one source. */
export const TEST_SOURCE = process.env['TEST_SOURCE'] === 'bpf' ? 'bpf' : 'netlink';

/** What sampling is told in tests, but for what a test is about. Of the kernel's own tables and the own namespace. */
export function samplingOptions(changes: Partial<SamplingOptions> = {}): SamplingOptions {
  return {
    intervalMs: 5000,
    maxDuty: 1,
    hasBudget: true,
    source: TEST_SOURCE,
    limits: { destinations: 1000, localAddresses: 1000, listeners: 1000, owners: 1000, snat: 1000 },
    snatPorts: [],
    peakWindowMs: 60_000,
    procfs: '/proc',
    sysfs: '/sys',
    processBudgetMs: 0,
    destinationOwners: true,
    countsRefusals: false,
    keepsConnections: false,
    canary: true,
    namespaces: 'self',
    namespacesLimit: 500,
    fullDumpAbove: 0.05,
    recordFile: undefined,
    ...changes,
  };
}
