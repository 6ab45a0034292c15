import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { Backlog } from '../../src/web/backlog.ts';

class Response extends EventEmitter {
  cutOff = false;

  destroy(): void {
    this.cutOff = true;
    this.emit('close');
  }
}

function read(backlog: Backlog, bytes: Uint8Array): Response {
  const response = new Response();
  backlog.add(bytes, response as unknown as ServerResponse);
  return response;
}

describe('what waits to be read', () => {
  const texts = Array.from({ length: 4 }, () => new Uint8Array(10));
  const [a, b, c, d] = texts;
  if (!(a && b && c && d)) throw new Error('four');

  it('counts once, however many read it', () => {
    const backlog = new Backlog(20);
    const readers = [a, a, a, b, b, a].map((bytes) => read(backlog, bytes));
    expect(readers.filter(({ cutOff }) => cutOff)).toEqual([]);
  });

  it('is the newest where it is too much: those who read the oldest are cut off', () => {
    const backlog = new Backlog(20);
    const [slow, slower, quick] = [read(backlog, a), read(backlog, a), read(backlog, b)];
    const newest = read(backlog, c);
    expect([slow, slower, quick, newest].map(({ cutOff }) => cutOff)).toEqual([true, true, false, false]);
  });

  it('is less once somebody has read it', () => {
    const backlog = new Backlog(20);
    const readers = [read(backlog, a), read(backlog, b)];
    readers[1]?.emit('close');
    readers.push(read(backlog, c));
    expect(readers.map(({ cutOff }) => cutOff)).toEqual([false, false, false]);
    readers.push(read(backlog, d));
    expect(readers.map(({ cutOff }) => cutOff)).toEqual([true, false, false, false]);
  });

  it('is one text that is larger, if there is no other', () => {
    const backlog = new Backlog(5);
    expect(read(backlog, a).cutOff).toBe(false);
  });
});
