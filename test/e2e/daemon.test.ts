import { gunzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { parseExposition } from '../support/exposition.ts';
import { FIXTURE } from './support/procfs.ts';
import { Daemon } from './support/program.ts';

/** What a scrape says of sampling. */
async function sampling(daemon: Daemon): Promise<{ timestamp: number; interval: number; duration: number }> {
  const all = parseExposition((await daemon.get('/metrics')).text);
  const sum = (name: string) =>
    all.filter((one) => one.name === name).reduce((total, { value }) => total + value, 0);
  return {
    timestamp: sum('port_exporter_sample_timestamp_seconds'),
    interval: sum('port_exporter_sample_interval_seconds'),
    duration: sum('port_exporter_sample_duration_seconds'),
  };
}

/** That of the next sample after `previous`. */
async function nextSampling(daemon: Daemon, previous: number): ReturnType<typeof sampling> {
  return await vi.waitFor(
    async () => {
      const next = await sampling(daemon);
      expect(next.timestamp).toBeGreaterThan(previous);
      return next;
    },
    { timeout: 15_000 * SLOWNESS, interval: 10 },
  );
}

describe('the daemon', () => {
  it('leaves out the metrics of its own process but for its start, which rules need, and no other', async () => {
    const namesOf = async (daemon: Daemon) =>
      new Set(parseExposition((await daemon.get('/metrics')).text).map(({ name }) => name));
    const [complete, without] = await Promise.all([
      Daemon.started([]).then(namesOf),
      Daemon.started(['--web.disable-exporter-metrics']).then(namesOf),
    ]);
    const isOwn = (name: string) => /^(process|nodejs)_/.test(name);
    expect([...without].filter(isOwn)).toEqual(['process_start_time_seconds']);
    expect([...complete].filter(isOwn).length).toBeGreaterThan(20);
    const others = (names: Set<string>) =>
      [...names].filter((name) => name.startsWith('port_exporter_')).toSorted();
    expect(others(without)).toEqual(others(complete));
    expect(without).toContain('port_exporter_sample_success');
  });

  it('serves both formats, plain and zipped, and is healthy and ready', async () => {
    const daemon = await Daemon.started([]);
    const text = await daemon.get('/metrics');
    expect(text.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const names = new Set(parseExposition(text.text).map(({ name }) => name));
    expect(names).toContain('port_exhaustion_ratio');
    expect(names).toContain('process_cpu_seconds_total');
    expect(names).toContain('nodejs_eventloop_lag_seconds');

    const open = await daemon.get('/metrics', { accept: 'application/openmetrics-text; version=1.0.0' });
    expect(open.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(open.text).toMatch(/\n# EOF\n$/);
    expect(open.text.match(/# EOF/g)).toHaveLength(1);
    const openNames = new Set(parseExposition(open.text).map(({ name }) => name));
    for (const name of names) if (name.startsWith('port_')) expect(openNames).toContain(name);

    const zipped = await daemon.get('/metrics', { 'accept-encoding': 'gzip' });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(parseExposition(gunzipSync(zipped.body).toString()).length).toBeGreaterThan(50);

    expect(await daemon.get('/-/healthy')).toMatchObject({ status: 200, text: 'healthy\n' });
    const ready = await daemon.get('/-/ready');
    expect(ready).toMatchObject({
      status: 200,
      text: expect.stringMatching(/^the last sample is \w+ old\n$/),
    });
    expect((await daemon.get('/nothing')).status).toBe(404);
  });

  it('samples on, with its interval', async () => {
    const daemon = await Daemon.started(['--sample.interval=200ms', '--sample.max-duty=1']);
    let last = await sampling(daemon);
    const startedAt = last.timestamp;
    for (let count = 0; count < 4; count++) last = await nextSampling(daemon, last.timestamp);
    expect(last.timestamp - startedAt).toBeGreaterThan(0.6);
    expect(last.interval).toBeGreaterThanOrEqual(0.2);
    expect((await daemon.get('/-/ready')).status).toBe(200);
  });

  it('shows the interval that the cost guard stretched', async () => {
    const daemon = await Daemon.started(['--sample.interval=10ms', '--sample.max-duty=0.001']);
    const { interval, duration } = await sampling(daemon);
    expect(duration).toBeGreaterThan(0);
    // A sample takes at least a twentieth of a millisecond of CPU time, and the peak window is the longest.
    expect(interval).toBeGreaterThan(0.05);
    expect(interval).toBeLessThanOrEqual(60);
  });

  it('and keeps to it', async () => {
    const steady = ['--sample.source=procfs', `--path.procfs=${FIXTURE}`];
    const daemon = await Daemon.started([...steady, '--sample.interval=10ms', '--sample.max-duty=0.05']);
    let last = await sampling(daemon);
    for (let count = 0; count < 3; count++) {
      const next = await nextSampling(daemon, last.timestamp);
      // From start to start; timestamps are those of the ends, in milliseconds.
      const spent = next.timestamp - next.duration - (last.timestamp - last.duration);
      expect(spent).toBeGreaterThan(0.95 * last.interval - 0.01);
      last = next;
    }
  });
});
