import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { takeListenFds } from '../../src/systemd/listenFds.ts';

describe('sockets handed over by systemd', () => {
  it('are the descriptors from 3 on', () => {
    expect(takeListenFds({ LISTEN_PID: '41', LISTEN_FDS: '1' }, 41)).toEqual([3]);
    expect(takeListenFds({ LISTEN_PID: '41', LISTEN_FDS: '3' }, 41)).toEqual([3, 4, 5]);
  });

  it('are told to no child, taken or not', () => {
    for (const pid of ['41', '42']) {
      const environment = { LISTEN_PID: pid, LISTEN_FDS: '1', LISTEN_FDNAMES: 'http', PATH: '/bin' };
      try {
        takeListenFds(environment, 41);
      } catch {
        // Not meant for this process.
      }
      expect(environment).toEqual({ PATH: '/bin' });
    }
  });

  it.each([
    [{}, 'LISTEN_PID and LISTEN_FDS are not set: expected to be started by a socket unit'],
    [{ LISTEN_FDS: '1' }, 'LISTEN_PID and LISTEN_FDS are not set: expected to be started by a socket unit'],
    [{ LISTEN_PID: '7', LISTEN_FDS: '1' }, 'LISTEN_PID is "7": expected 41, this process'],
    [{ LISTEN_PID: '41', LISTEN_FDS: '0' }, 'LISTEN_FDS is "0": expected a number from 1 to 1024'],
    [{ LISTEN_PID: '41', LISTEN_FDS: '-1' }, 'LISTEN_FDS is "-1": expected a number from 1 to 1024'],
    [{ LISTEN_PID: '41', LISTEN_FDS: '2000' }, 'LISTEN_FDS is "2000": expected a number from 1 to 1024'],
    [{ LISTEN_PID: '41', LISTEN_FDS: 'two' }, 'LISTEN_FDS is "two": expected a number from 1 to 1024'],
  ])('are none with %j, which is said', (environment, why) => {
    expect(() => takeListenFds(environment, 41)).toThrow(
      new ExporterError(`--web.systemd-socket: no sockets passed by systemd: ${why}`),
    );
  });
});
