import { beforeEach, describe, expect, it } from 'vitest';
import { RefusalReporter } from '../../src/supervisor/refusalReporter.ts';
import { BIND, CONNECT, QUIET, STORM } from '../metrics/refusalStates.ts';
import { recordingLogger } from '../sampling/fakes.ts';

let nowMs: number;
let logger: ReturnType<typeof recordingLogger>;
let reporter: RefusalReporter;
beforeEach(() => {
  nowMs = 0;
  logger = recordingLogger(true);
  reporter = new RefusalReporter(logger.log, () => nowMs);
  reporter.report(QUIET);
  logger.lines.length = 0;
});

const CERTAIN = { ...STORM, likely: [] };

describe('the log of refused calls', () => {
  it('has one line of a burst, with who was refused and both ends', () => {
    reporter.report(CERTAIN);
    nowMs = 59_000;
    reporter.report(CERTAIN);
    nowMs = 118_000;
    reporter.report(CERTAIN);
    expect(logger.lines).toEqual([
      [
        'warn',
        'the kernel refused a port',
        {
          ...{ netns: 'host', call: 'tcp_connect', refused: 4, process: 'curl', pid: 4711 },
          ...{ owner: 'web.service', from: '10.0.0.5', to: '10.0.0.9:5432' },
        },
      ],
    ]);
  });

  it('has another once a minute has passed without any', () => {
    reporter.report(CERTAIN);
    nowMs = 60_000;
    reporter.report(CERTAIN);
    expect(logger.lines).toHaveLength(2);
  });

  it('has one of each namespace and kind', () => {
    const refused = [
      { ...CONNECT, netns: 'host', count: 1 },
      { ...CONNECT, netns: 'pod', count: 1 },
      { ...BIND, netns: 'pod', count: 1 },
    ];
    reporter.report({ ...QUIET, refused });
    expect(logger.lines.map(([, , fields]) => fields)).toEqual([
      { netns: 'host', call: 'tcp_connect', refused: 1 },
      { netns: 'pod', call: 'tcp_connect', refused: 1 },
      { netns: 'pod', call: 'tcp_bind', refused: 1 },
    ]);
  });

  it('is no longer for somebody who makes thousands of namespaces', () => {
    const storm = (first: number) => ({
      ...QUIET,
      refused: Array.from({ length: 1000 }, (_, index) => ({
        ...CONNECT,
        netns: `n${first + index}`,
        count: 1,
      })),
    });
    reporter.report(storm(0));
    reporter.report(storm(1000));
    expect(logger.lines).toHaveLength(21);
    expect(logger.lines.at(-1)?.[1]).toBe(
      'calls are refused in more namespaces, no further lines for a minute',
    );
    nowMs = 60_000;
    reporter.report(storm(2000));
    expect(logger.lines).toHaveLength(42);
  });

  it('has one of a retry, where the first attempt was not seen', () => {
    reporter.report({ ...QUIET, likely: STORM.likely });
    expect(logger.lines).toMatchObject([['warn', 'the kernel refused a port', { refused: 1 }]]);
  });

  it('says what is counted, and what is not and why, once and when it changes', () => {
    reporter.report(QUIET);
    expect(logger.lines).toEqual([]);
    reporter.report({ ...QUIET, counted: [CONNECT, BIND], obstacles: [] });
    reporter.report(QUIET);
    expect(logger.lines).toEqual([
      ['info', 'counting refused calls', { calls: 'tcp_connect tcp_bind' }],
      [
        'info',
        'counting refused calls',
        { calls: 'tcp_connect', unavailable: 'TCP bind(): the kernel cannot trace functions' },
      ],
    ]);
  });

  it('leaves it to the line on the source why nothing is counted', () => {
    reporter.report({ ...QUIET, counted: [], obstacles: ['TCP connect(): the kernel has no BTF'] });
    expect(logger.lines.map(([level]) => level)).toEqual(['debug']);
  });

  it('says what may be missing', () => {
    reporter.report({ ...QUIET, interruptions: ['TCP connect()'] });
    reporter.report({ ...QUIET, lost: { namespaces: 0, destinations: 7, failures: 9, owners: 0 } });
    expect(logger.lines).toEqual([
      ['warn', 'some refused calls may not have been counted', { calls: 'TCP connect()' }],
      ['warn', 'refused calls fit in no kernel table', { namespaces: 0, destinations: 7, owners: 0 }],
    ]);
  });
});
