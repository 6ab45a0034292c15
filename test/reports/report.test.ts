import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainReport } from '../../src/reports/explainReport.ts';
import { printReport } from '../../src/reports/report.ts';
import { expectHarmless, lines, PIPE, terminal } from './reports.ts';
import {
  destinations,
  explained,
  HOLDERS,
  listeners,
  OWNERS,
  PROCESSES,
  row,
  UNKNOWN,
  WEB,
} from './samples.ts';

describe('every report', () => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(
      '\u001b]0;title\u0007',
      '\u009b31m',
      'a\nb',
      '\u202egnp',
      '日本語日本語日本語',
      '👩‍👩‍👧‍👦',
    ),
  );

  it('fits its terminal and is harmless, whatever strangers are called', () => {
    fc.assert(
      fc.property(anyName, fc.integer({ min: 60, max: 140 }), fc.boolean(), (name, columns, hasColor) => {
        const on = { columns, hasColor };
        const owners = OWNERS.map((owner) => ({ ...owner, owner: name }));
        const holders = { ...HOLDERS, owners };
        const processes = {
          ...PROCESSES,
          processes: PROCESSES.processes.map((one) => ({
            ...one,
            process: name,
            user: name,
            commandLine: name,
          })),
        };
        const hostile = { ...UNKNOWN, ...{ service: name, process: name, pid: 1, user: name, owner: name } };
        const all = [
          listeners([WEB, hostile]),
          destinations([row({ owners })], 9),
          explainReport(explained({ holders, processes })),
        ];
        for (const report of all) {
          lines(report, on);
          const text = printReport(report, true, on);
          expectHarmless(text, PIPE);
          expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(report.data)));
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([60, 80, 120])('of a usual kind fits %i columns without cutting a number', (columns) => {
    const rows = [row()];
    for (const report of [listeners([WEB, UNKNOWN]), destinations(rows, 1), explainReport(explained())]) {
      const text = lines(report, terminal(columns)).join('\n');
      for (const whole of ['ESTAB', 'TIME-WAIT', '3/511', 'PORTS', '40010!', 'DROPS']) {
        if (report.text(PIPE).includes(whole)) expect(text).toContain(whole);
      }
    }
  });
});
