import { describe, expect, it } from 'vitest';
import { NO_REFUSALS, RefusalLedger } from '../../src/status/refusalLedger.ts';
import { BIND, CONNECT, QUIET, refusalsAfter, STORM } from '../metrics/refusalStates.ts';

describe('the ledger of refusals', () => {
  it('begins with nothing, not even zeros', () => {
    expect(new RefusalLedger(() => 0).state).toBe(NO_REFUSALS);
  });

  it('adds up what is reported', () => {
    const state = refusalsAfter([STORM, QUIET, STORM], 7000);
    expect(state.counted).toEqual([CONNECT]);
    expect(state.refused).toEqual([{ key: { ...CONNECT, netns: 'host' }, count: 8, lastAtMs: 9000 }]);
    expect(state.likely).toMatchObject([{ count: 2 }]);
    expect(state.failures.map(({ key, count }) => [key.error, count])).toEqual([
      ['EADDRNOTAVAIL', 10],
      ['ECONNREFUSED', 4],
    ]);
    expect(state.destinations).toMatchObject([{ key: { remotePort: 5432 }, count: 10 }]);
    expect(state.destinationFailures).toMatchObject([{ key: { error: 'ECONNREFUSED' }, count: 4 }]);
    expect(state.owners).toMatchObject([{ key: { owner: 'web.service' }, count: 10 }]);
    expect(state.leftOut).toBe(6);
  });

  it('is the same object until there is something new', () => {
    const ledger = new RefusalLedger(() => 0);
    ledger.take(STORM);
    const { state } = ledger;
    expect(ledger.state).toBe(state);
    ledger.take(STORM);
    expect(ledger.state).not.toBe(state);
    expect(state.refused[0]?.count).toBe(4);
  });

  it('keeps what was counted while nobody counts, and goes on with it', () => {
    const ledger = new RefusalLedger(() => 0);
    ledger.take(STORM);
    ledger.interrupt();
    expect(ledger.state.counted).toEqual([]);
    expect(ledger.state.refused).toMatchObject([{ count: 4 }]);
    ledger.take({ ...STORM, counted: [CONNECT, BIND] });
    expect(ledger.state.counted).toEqual([CONNECT, BIND]);
    expect(ledger.state.refused).toMatchObject([{ count: 8 }]);
  });

  it('has the last events, newest first', () => {
    const [event] = STORM.events;
    if (event === undefined) throw new Error('none');
    const at = (first: number, count: number) => ({
      ...STORM,
      events: Array.from({ length: count }, (_, index) => ({ ...event, atMs: first + index })),
    });
    const { events } = refusalsAfter([at(0, 15), at(15, 10)]);
    expect(events.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 20 }, (_, index) => 24 - index));
  });

  it('is bounded, and says what it gave up and what the kernel had no room for', () => {
    const many = Array.from({ length: 1000 }, (_, index) => index);
    const [destination] = STORM.destinations;
    if (destination === undefined) throw new Error('none');
    const state = refusalsAfter([
      {
        ...QUIET,
        refused: many.map((index) => ({ ...CONNECT, netns: `ns${index}`, count: 1 })),
        destinations: many.map((remotePort) => ({ ...destination, remotePort })),
        owners: many.map((index) => ({ netns: 'host', owner: `o${index}`, count: 1 })),
        lost: { namespaces: 1, destinations: 2, failures: 4, owners: 3 },
      },
    ]);
    expect([state.refused.length, state.destinations.length, state.owners.length]).toEqual([1000, 200, 200]);
    expect(state.evicted).toEqual({
      port_refusals_total: 1,
      port_connect_failures_total: 0,
      port_destination_refusals_total: 802,
      port_destination_connect_failures_total: 4,
      port_owner_refusals_total: 803,
    });
  });
});
