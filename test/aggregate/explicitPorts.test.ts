import { expect, it } from 'vitest';
import { ExplicitPorts } from '../../src/aggregate/explicitPorts.ts';
import { PortSet } from '../../src/aggregate/portSet.ts';
import { SocketRecord, TcpState } from '../../src/sockets/record.ts';

it('keeps what a walk found where the rest of its round failed', () => {
  const usable = new PortSet(40_000, 40_099);
  usable.addRange(40_000, 40_099);
  const connection = Object.assign(new SocketRecord(), {
    ...{ state: TcpState.ESTABLISHED, inode: 7, local0: 1, remote0: 2, remotePort: 80, localPort: 40_001 },
  });
  const explicit = new ExplicitPorts();
  explicit.begin(usable, (visit) => visit(connection));
  explicit.begin(usable);
  expect(explicit.mayBe(40_001)).toBe(true);
  expect(explicit.recognise(connection)).toBe(true);
  explicit.end();
  explicit.begin(usable);
  expect(explicit.recognise(connection)).toBe(true);
  expect(explicit.recognise(Object.assign(new SocketRecord(), connection, { localPort: 40_002 }))).toBe(
    false,
  );
});
