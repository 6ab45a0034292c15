import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REFUSAL_JSON, refusalText } from '../../src/reports/refusalsReport.ts';
import { RefusalTally } from '../../src/status/refusalTally.ts';
import { ALL_CALLS, BIND, EVENT, refusedBinds, refusedConnects } from '../status/refusals.ts';
import { expectHarmless, PIPE, terminal } from './reports.ts';

const [TCP_CONNECT] = ALL_CALLS;
const LIKELY = { ...EVENT, isLikely: true };

function refused(...reports: Parameters<RefusalTally['take']>[0][]) {
  const tally = new RefusalTally();
  for (const report of reports) tally.take(report, 0);
  return { durationMs: 10_004, counted: ALL_CALLS, tally };
}

describe('refused calls for a person', () => {
  it('are a line each below one heading, and name the namespaces of others', () => {
    const text = refusalText('host', PIPE);
    expect([...text.refused([EVENT, BIND]), ...text.refused([LIKELY])]).toEqual([
      'TIME          PROCESS           OWNER               CALL         FROM        TO               ERROR          NETNS',
      '14:03:22.117  curl/4711         web.service         tcp_connect  10.0.0.5    10.0.0.9:443     EADDRNOTAVAIL',
      '14:03:22.117  named/12          dns.service         tcp_bind     ::1         -                EADDRINUSE     web',
      '14:03:22.117  curl/4711         web.service         tcp_connect  10.0.0.5    10.0.0.9:443     EADDRNOTAVAIL (likely)',
    ]);
    expect(text.refused([])).toEqual([]);
  });

  it('are what the page shows', () => {
    const page = readFileSync(new URL('../../deploy/reference/refusals.md', import.meta.url), 'utf8');
    expect(page).toContain(['', ...refusalText('host', PIPE).refused([EVENT]), ''].join('\n'));
  });

  it('say how many are not shown', () => {
    expect(refusalText('host', PIPE).more(17)).toEqual(['… 17 more not shown']);
  });

  it('end with how many there were, where, and whose the last one was', () => {
    const text = refusalText('host', PIPE);
    text.refused([EVENT]);
    expect(
      text
        .summary(refused(refusedConnects(7), refusedBinds(2)))
        .join('\n')
        .split('\n'),
    ).toEqual([
      '',
      '9 calls were refused in 10s.',
      '',
      'NETNS  REFUSED  CALL         FROM      TO            LAST PROCESS  OWNER',
      'host         7  tcp_connect  10.0.0.5  10.0.0.9:443  curl/4711     web.service',
      'web          2  tcp_bind     -         -             named/12      dns.service',
    ]);
  });

  it('say that there was none, and of what', () => {
    const summary = refusalText('host', PIPE).summary;
    expect(summary(refused())).toEqual(['No calls were refused in 10s.']);
    expect(summary({ ...refused(), durationMs: 306.4, counted: [TCP_CONNECT] })).toEqual([
      'No TCP connect() calls were refused in 306ms.',
    ]);
    const one = { ...refused(refusedConnects(1)), counted: [TCP_CONNECT] };
    expect(summary(one)[0]).toBe('1 TCP connect() call was refused in 10s.');
  });

  it('explain what likely means where there are such', () => {
    const { refused: certain, ...rest } = refusedConnects(3);
    const likely = { ...rest, refused: [], likely: certain };
    const [, sentence] = ['', ...refusalText('host', PIPE).summary(refused(refusedConnects(2), likely))];
    expect(sentence).toMatch(/^5 calls were refused in 10s, of which 3 likely: the descriptor had failed /);
  });

  it('have colour on a terminal that wants it, and speak to none', () => {
    const [, certain, likely] = refusalText('host', terminal(200, true)).refused([EVENT, LIKELY]);
    expect(certain).toContain('\u001b[31mEADDRNOTAVAIL\u001b[39m');
    expect(likely).toContain('\u001b[33mEADDRNOTAVAIL (likely)\u001b[39m');
    const evil = { ...EVENT, process: '\u001b[2J', owner: '\u202e', netns: '\r' };
    for (const on of [PIPE, terminal(200, true)])
      for (const line of refusalText('host', on).refused([evil]))
        expectHarmless(line, { ...on, columns: 999 });
  });
});

describe('refused calls for a program', () => {
  it('are an object in each line', () => {
    const { refused: events, more, summary } = REFUSAL_JSON;
    const all = [...events([EVENT, BIND]), ...more(17), ...summary(refused(refusedConnects(7)))];
    const last = { process: 'curl', pid: 4711, owner: 'web.service' };
    const to = { localAddress: '10.0.0.5', remoteAddress: '10.0.0.9', remotePort: 443 };
    const call = { netns: 'host', ...TCP_CONNECT, ...to };
    expect(all.map((line) => JSON.parse(line))).toEqual([
      { time: new Date(EVENT.atMs).toISOString(), ...last, ...call, error: 'EADDRNOTAVAIL', likely: false },
      expect.objectContaining({ netns: 'web', localAddress: '::1', error: 'EADDRINUSE' }),
      { notShown: 17 },
      {
        ...{ seconds: 10.004, counted: ALL_CALLS, refused: 7, likely: 0 },
        most: [{ ...call, count: 7, last }],
      },
    ]);
    expect(JSON.parse(all[1] ?? '')).not.toHaveProperty('remotePort');
  });

  it('are one line each whatever the names', () => {
    const [line = ''] = REFUSAL_JSON.refused([{ ...EVENT, process: 'a\n\u202e\u001b' }]);
    expectHarmless(line, PIPE);
    expect(JSON.parse(line)).toMatchObject({ process: 'a\n\u202e\u001b' });
  });
});
