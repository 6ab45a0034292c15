import { describe, expect, it } from 'vitest';
import { ListenerIndex } from '../../src/aggregate/listenerIndex.ts';
import { TcpState } from '../../src/sockets/record.ts';
import { toRecord } from './world.ts';

const LOCALS = ['10.0.0.1', '::ffff:10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'];

describe('a listener takes connections', () => {
  it.each([
    ['to its IPv4 address', '10.0.0.1', false, ['10.0.0.1', '::ffff:10.0.0.1']],
    ['to its mapped address', '::ffff:10.0.0.1', false, ['10.0.0.1', '::ffff:10.0.0.1']],
    ['to its IPv6 address', 'fd00::1', false, ['fd00::1']],
    ['of all IPv4', '0.0.0.0', false, ['10.0.0.1', '::ffff:10.0.0.1', '10.0.0.2']],
    ['of all IPv4, mapped', '::ffff:0.0.0.0', false, ['10.0.0.1', '::ffff:10.0.0.1', '10.0.0.2']],
    ['of both families', '::', false, LOCALS],
    ['of IPv6 only', '::', true, ['fd00::1', 'fd00::2']],
  ])('%s: %s', (_, address, v6only, taken) => {
    const listeners = new ListenerIndex();
    listeners.add(toRecord({ state: TcpState.LISTEN, local: address, localPort: 8080, v6only }));
    expect(LOCALS.filter((local) => listeners.accepts(connection(local, 8080)))).toEqual(taken);
    expect(LOCALS.filter((local) => listeners.accepts(connection(local, 8081)))).toEqual([]);
  });

  it('on every port there is', () => {
    const listeners = new ListenerIndex();
    for (const localPort of [1, 65_535]) {
      listeners.add(toRecord({ state: TcpState.LISTEN, local: '0.0.0.0', localPort }));
    }
    const accepted = [1, 2, 65_534, 65_535].filter((port) => listeners.accepts(connection('10.0.0.1', port)));
    expect(accepted).toEqual([1, 65_535]);
  });

  it('with the port of one and the address of another: no', () => {
    const listeners = new ListenerIndex();
    listeners.add(toRecord({ state: TcpState.LISTEN, local: '10.0.0.1', localPort: 80 }));
    listeners.add(toRecord({ state: TcpState.LISTEN, local: '10.0.0.2', localPort: 443 }));
    expect(listeners.accepts(connection('10.0.0.2', 80))).toBe(false);
    expect(listeners.accepts(connection('10.0.0.1', 443))).toBe(false);
  });
});

function connection(local: string, localPort: number) {
  return toRecord({ state: TcpState.ESTABLISHED, local, localPort });
}
