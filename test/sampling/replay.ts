import { rmSync } from 'node:fs';
import { onTestFinished, vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import type { Libc } from '../../src/kernel/libc.ts';
import { createExposition } from '../../src/metrics/exposition.ts';
import { openSession } from '../../src/sampling/session.ts';
import { procfsOf, RecordedLibc, type Recording } from '../kernel/recordings.ts';
import { samplingOptions } from '../support/samplingOptions.ts';

/** The kernel that the exporter of this test file runs on. To be imported before anything of src. */
const kernel = vi.hoisted(() => ({ release: '', libc: undefined as Libc | undefined }));
vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  release: () => kernel.release,
}));
vi.mock('../../src/kernel/libc.ts', async (original) => ({
  ...(await original<typeof import('../../src/kernel/libc.ts')>()),
  loadLibc: () => kernel.libc,
}));

/** What a scrape would read, had the exporter run on that kernel. Rejects where any collector failed. */
export async function replay(recording: Recording): Promise<string> {
  kernel.release = recording.header.kernel;
  kernel.libc = new RecordedLibc(recording);
  const procfs = procfsOf(recording);
  onTestFinished(() => rmSync(procfs, { recursive: true }));
  const session = openSession(
    samplingOptions({
      ...{ procfs, sysfs: procfs, fullDumpAbove: 0 },
      limits: { destinations: 100, localAddresses: 100, listeners: 100, owners: 0, snat: 0 },
    }),
    silentLogger,
  );
  try {
    const snapshot = session.sample();
    for (const { collector, error } of snapshot.namespaces.flatMap(({ outcomes }) => outcomes)) {
      if (error !== undefined) throw new Error(`collector ${collector}: ${error}`);
    }
    return await createExposition({ withProcess: false }).render(
      { kind: 'sampled', snapshot, receivedAtMs: 0 },
      'text',
    );
  } finally {
    session.close();
  }
}
