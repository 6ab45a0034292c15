import { readFileSync } from 'node:fs';
import { NETLINK_NETFILTER } from '../../../src/conntrack/dump.ts';
import { HOST_IS_LITTLE_ENDIAN } from '../../../src/kernel/endian.ts';
import { loadLibc } from '../../../src/kernel/libc.ts';
import { openNetlinkSocket } from '../../../src/kernel/netlink.ts';
import { encodeEntry } from '../../conntrack/encode.ts';
import type { NamedNamespace } from './namedNamespace.ts';

/** More would take the machine too much memory: these take 100 MB. */
const MOST_ENTRIES = 300_000;
/** They fit in one datagram of the default send buffer. */
const BATCH = 1000;
const TIMEOUT_SECONDS = 600;
/** A client's port and a remote one: in the template alone. */
const TEMPLATE_PORTS = [0xabcd, 0xfedc] as const;
/** SEEN_REPLY, ASSURED and CONFIRMED of `enum ip_conntrack_status`. */
const ASSURED = 0b1110;

/** Why no table can be filled here; undefined where one can. Its limit is that of every namespace, and nobody's to lower. */
export function fillingRefusal(): string | undefined {
  const limit = entriesLimit();
  return limit > 0 && limit <= MOST_ENTRIES ? undefined : `nf_conntrack_max is ${limit}`;
}

/**
 * Tracks connections that nobody made until the namespace has as many as the kernel's limit permits: UDP that was answered,
 * which the kernel does not end early to make room.
 */
export function fillConntrack(namespace: NamedNamespace): void {
  const limit = entriesLimit();
  const { message, clientPorts, remotePorts } = template();
  const batch = new Uint8Array(BATCH * message.length);
  for (let at = 0; at < BATCH; at++) batch.set(message, at * message.length);
  const view = new DataView(batch.buffer);
  const socket = namespace.inside(() => openNetlinkSocket(loadLibc(), NETLINK_NETFILTER));
  try {
    for (let nth = 0; nth < limit; nth += BATCH) {
      for (let at = 0; at < BATCH; at++) {
        const start = at * message.length;
        for (const offset of clientPorts) view.setUint16(start + offset, 1 + ((nth + at) % 65_000));
        for (const offset of remotePorts) view.setUint16(start + offset, 1 + Math.floor((nth + at) / 65_000));
      }
      // What the kernel refuses once the table is full it answers, and nobody reads it.
      socket.send(batch);
    }
  } finally {
    socket.close();
  }
}

/** IPCTNL_MSG_CT_NEW, and where its ports are. */
function template() {
  const [client, remote] = TEMPLATE_PORTS;
  const payload = encodeEntry({
    original: {
      source: '10.91.1.9',
      destination: '198.51.100.9',
      sourcePort: client,
      destinationPort: remote,
    },
    reply: { source: '198.51.100.9', destination: '10.91.1.9', sourcePort: remote, destinationPort: client },
    protocol: 17,
    status: ASSURED,
    timeout: TIMEOUT_SECONDS,
  });
  const message = Buffer.alloc(16 + payload.length);
  const view = new DataView(message.buffer, message.byteOffset);
  view.setUint32(0, message.length, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(4, 0x0100, HOST_IS_LITTLE_ENDIAN);
  // NLM_F_REQUEST | NLM_F_CREATE
  view.setUint16(6, 0x401, HOST_IS_LITTLE_ENDIAN);
  message.set(payload, 16);
  const offsetsOf = (port: number) => {
    const bytes = Uint8Array.of(port >> 8, port & 255);
    const first = message.indexOf(bytes);
    return [first, message.indexOf(bytes, first + 1)] as const;
  };
  return { message, clientPorts: offsetsOf(client), remotePorts: offsetsOf(remote) };
}

function entriesLimit(): number {
  return Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8'));
}
