import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { errorCode } from '../base/errors.ts';

/**
 * Whether this machine has an address from which to reach `address`. To ::1 on a machine without IPv6 it has none, and
 * connect() of TCP says EADDRNOTAVAIL to that as well as to having no port left. So does that of UDP, which sends nothing
 * and needs none of TCP's ports: what it says can only be about the address.
 */
export async function hasSourceAddress(address: string): Promise<boolean> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(DISCARD_PORT, address, (error?: Error) => (error ? reject(error) : resolve()));
    });
    return true;
  } catch (thrown) {
    return errorCode(thrown) !== 'EADDRNOTAVAIL';
  } finally {
    socket.close();
  }
}

/** Any would do. */
const DISCARD_PORT = 9;
