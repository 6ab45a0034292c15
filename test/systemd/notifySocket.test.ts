import { describe, expect, it } from 'vitest';
import { ExporterError, KernelError } from '../../src/base/errors.ts';
import { loadLibc } from '../../src/kernel/libc.ts';
import { openNotifySocket } from '../../src/systemd/notifySocket.ts';
import { FakeManager } from './fakeManager.ts';

describe('what is said to a service manager', () => {
  it.each([false, true])('arrives as a datagram each (abstract name: %s)', (abstract) => {
    const manager = new FakeManager({ abstract });
    const say = openNotifySocket(manager.address, loadLibc());
    say('WATCHDOG=1');
    say('READY=1\nSTATUS=größer 0,5');
    expect(manager.messages).toEqual(['WATCHDOG=1', 'READY=1\nSTATUS=größer 0,5']);
  });

  it('never waits for one that does not listen, or is gone', () => {
    const manager = new FakeManager();
    const say = openNotifySocket(manager.address, loadLibc());
    // net.unix.max_dgram_qlen is 10 by default, and never a million.
    expect(() => {
      for (let beats = 0; beats < 1_000_000; beats++) say('WATCHDOG=1');
    }).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    manager.close();
    expect(() => say('WATCHDOG=1')).toThrow(KernelError);
  });

  it.each(['relative', 'vsock:2:1234', `/${'a'.repeat(107)}`, `@${'a'.repeat(108)}`])(
    'needs the address of a Unix socket: %s',
    (path) => {
      expect(() => openNotifySocket(path, loadLibc())).toThrow(ExporterError);
      expect(() => openNotifySocket(path, loadLibc())).toThrow(
        `NOTIFY_SOCKET: invalid Unix socket address "${path}": expected /PATH or @NAME of at most 107 bytes`,
      );
    },
  );
});
