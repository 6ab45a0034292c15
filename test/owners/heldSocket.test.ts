import { describe, expect, it } from 'vitest';
import { askForHolders, type HeldSocket } from '../../src/owners/heldSocket.ts';

const held = (inode: number, pid: number, descriptor = 3): HeldSocket => ({ inode, pid, descriptor });
const nobody = () => {
  throw new Error('it makes no difference');
};

/** Asks somebody who answers with all of these, for sockets of one cgroup. */
function holders(
  all: readonly HeldSocket[],
  inodes: readonly number[],
  candidatesOf: (path: string | undefined) => readonly number[] = nobody,
) {
  const found = askForHolders(() => all, [{ cgroupPath: '/web', inodes }], candidatesOf);
  return found.map(({ inode, pid, descriptor }) => [inode, pid, descriptor]);
}

describe('the likeliest holder', () => {
  it('is the only one, wherever it is', () => {
    expect(holders([held(500, 20, 7)], [500])).toEqual([[500, 20, 7]]);
  });

  it('is nobody where nobody is told', () => {
    expect(holders([held(501, 20)], [500])).toEqual([]);
  });

  it('is a process with two descriptors of it, by one of them', () => {
    expect(holders([held(500, 20, 3), held(500, 20, 9)], [500])).toEqual([[500, 20, 3]]);
  });

  it('is the first of the candidates, not the lowest of all pids', () => {
    expect(holders([held(500, 1), held(500, 30), held(500, 31)], [500], () => [31, 30])).toEqual([
      [500, 31, 3],
    ]);
  });

  it('is the lowest pid where no candidate holds it', () => {
    expect(holders([held(500, 31), held(500, 30)], [500], () => [7, 8])).toEqual([[500, 30, 3]]);
  });

  it('is asked for once for all cgroups, and told with its cgroup', () => {
    const asked: number[][] = [];
    const all = [held(500, 20), held(501, 21), held(501, 22), held(7, 22)];
    const found = askForHolders(
      (inodes) => {
        asked.push([...inodes]);
        return all;
      },
      [
        { cgroupPath: '/web', inodes: [500] },
        { cgroupPath: undefined, inodes: [501, 502] },
      ],
      (path) => (path === undefined ? [22, 21] : nobody()),
    );
    expect(asked).toEqual([[500, 501, 502]]);
    expect(found).toEqual([
      { inode: 500, pid: 20, descriptor: 3, cgroupPath: '/web' },
      { inode: 501, pid: 22, descriptor: 3, cgroupPath: undefined },
    ]);
  });
});
