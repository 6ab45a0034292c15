import { expect, it } from 'vitest';
import { CollectorReporter } from '../../src/supervisor/collectorReporter.ts';
import { type FailuresByCollector, namespacesOf, recordingLogger, snapshotOf } from '../sampling/fakes.ts';

it('says once what changed', () => {
  const { log, lines } = recordingLogger();
  const reporter = new CollectorReporter(log);
  const seen = (outcomes: Record<string, string | undefined>) => {
    reporter.report(snapshotOf(outcomes));
    return lines.splice(0);
  };
  const failed = (collector: string, error: string) => [
    'error',
    'collector failed',
    { netns: 'host', collector, error },
  ];
  const works = (collector: string) => ['info', 'collector recovered', { netns: 'host', collector }];

  expect(seen({ tcp: undefined, udp: undefined })).toEqual([]);
  expect(seen({ tcp: 'a', udp: undefined })).toEqual([failed('tcp', 'a')]);
  expect(seen({ tcp: 'a', udp: undefined })).toEqual([]);
  expect(seen({ tcp: 'b', udp: 'a' })).toEqual([failed('tcp', 'b'), failed('udp', 'a')]);
  expect(seen({ tcp: undefined, udp: 'a' })).toEqual([works('tcp')]);
  expect(seen({ tcp: undefined, udp: undefined })).toEqual([works('udp')]);
  expect(seen({ tcp: undefined, udp: undefined })).toEqual([]);
});

it('debugging says of every collector how long it took', () => {
  const { log, lines } = recordingLogger(true);
  new CollectorReporter(log).report(snapshotOf({ range: undefined, tcp: 'why' }));
  expect(lines.filter(([level]) => level === 'debug')).toEqual([
    ['debug', 'collected', { netns: 'host', collector: 'range', seconds: '0.000000' }],
    ['debug', 'collected', { netns: 'host', collector: 'tcp', seconds: '0.000000' }],
  ]);
});

it('the log says once what failed of a namespace, and nothing when it vanishes', () => {
  const { log, lines } = recordingLogger();
  const reporter = new CollectorReporter(log);
  const seen = (namespaces: Readonly<Record<string, FailuresByCollector>>) => {
    reporter.report(namespacesOf(namespaces));
    return lines.splice(0);
  };
  const refused = ['warn', 'collector failed', { netns: 'blue', collector: 'enter', error: 'a' }];
  const entered = ['info', 'collector recovered', { netns: 'blue', collector: 'enter' }];
  expect(seen({ host: { tcp: undefined }, blue: { enter: 'a' } })).toEqual([refused]);
  expect(seen({ host: { tcp: undefined }, blue: { enter: 'a' } })).toEqual([]);
  expect(seen({ host: { tcp: undefined }, blue: { enter: undefined } })).toEqual([entered]);
  expect(seen({ host: {}, blue: { enter: 'a' } })).toEqual([refused]);
  expect(seen({ host: {} })).toEqual([]);
  // Another one of that name.
  expect(seen({ host: {}, blue: { enter: undefined } })).toEqual([]);
});
