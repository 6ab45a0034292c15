import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { ConntrackReader } from '../../src/sampling/conntrackReader.ts';
import { datagram, done, FakeNetlink, refusal } from '../kernel/fakeNetlink.ts';
import { recordingLogger } from './fakes.ts';

const { EPERM, ENOMEM } = constants.errno;

it('says once that it lacks the privilege, and fails for nothing else', () => {
  let errno = EPERM;
  const { log, lines } = recordingLogger();
  const reader = new ConntrackReader(
    log,
    () =>
      new FakeNetlink(({ sequence }) => [datagram(errno === 0 ? done(sequence) : refusal(sequence, errno))]),
  );
  expect([reader.dump(() => {}), reader.dump(() => {})]).toEqual([false, false]);
  expect(lines.map(([level, message]) => [level, message])).toEqual([['info', 'SNAT ports are not read']]);
  expect(JSON.stringify(lines)).toMatch(/CAP_NET_ADMIN.*EPERM.*--snat\.limit=0/);
  errno = ENOMEM;
  expect(() => reader.dump(() => {})).toThrow('dump of tracked connections');
  errno = 0;
  expect(reader.dump(() => {})).toBe(true);
  expect(lines).toHaveLength(1);
});
