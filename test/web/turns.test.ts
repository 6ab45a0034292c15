import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/web/turns.ts';

describe('those who wait for their turn', () => {
  it('go one by one, and whatever else there is to do comes in between', async () => {
    const turns = new Turns();
    const seen: string[] = [];
    const others = setInterval(() => seen.push('other'), 0);
    const busy = (name: string) => {
      seen.push(name);
      for (const until = performance.now() + 5; performance.now() < until; );
    };
    await Promise.all(['a', 'b', 'c'].map((name) => turns.wait('x').then(() => busy(name))));
    clearInterval(others);
    expect(seen.filter((name) => name !== 'other')).toEqual(['a', 'b', 'c']);
    expect(seen.slice(seen.indexOf('a') + 1, seen.indexOf('c'))).toContain('other');
  });

  it('alternate between clients, however many requests one of them has', async () => {
    const turns = new Turns();
    const order: string[] = [];
    const clients = ['a', 'a', 'a', 'a', 'b', 'b', 'c'];
    await Promise.all(clients.map((client) => turns.wait(client).then(() => order.push(client))));
    expect(order.join('')).toBe('abcabaa');
  });

  it('are sent away where too many wait, the last to come of the client with the most', async () => {
    const turns = new Turns(3);
    const flood = [turns.wait('a'), turns.wait('a'), turns.wait('a')];
    expect(await turns.wait('a')).toBe(false);
    const other = turns.wait('b');
    expect(await Promise.all([...flood, other])).toEqual([true, true, false, true]);
    expect(await turns.wait('a')).toBe(true);
  });
});
