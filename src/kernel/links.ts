import { KernelError } from '../base/errors.ts';
import { escapeInvisible } from '../base/logfmt.ts';
import { HOST_IS_LITTLE_ENDIAN } from './endian.ts';
import type { NetlinkSocket } from './netlink.ts';

/** What is wanted of a network device. */
export interface Link {
  /** Fit for a label and a terminal; `if7` where the kernel does not tell. */
  readonly name: string;
  /** Index of the VRF that it is, or that it belongs to; 0 for none: l3mdev_master_ifindex_by_index(). */
  readonly vrf: number;
}

/** `include/uapi/linux/rtnetlink.h` and `if_link.h`. */
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_SLAVE_KIND = 4;
const RTEXT_FILTER_SKIP_STATS = 1 << 3;
const NLM_F_REQUEST = 1;
const NLA_TYPE_MASK = 0x3fff;

/** struct nlmsghdr, then struct ifinfomsg: u8 family, u8 pad, u16 type, i32 index, u32 flags, u32 change. */
const HEADER_BYTES = 16;
const IFINFOMSG_BYTES = 16;
/** A device without its statistics takes about 1 KiB; what does not fit is not read. */
const RECEIVE_BYTES = 16 * 1024;
/** Answers to earlier requests are let pass, but not for ever. */
const MOST_DATAGRAMS = 16;
/** Devices asked for until the next `forget()`: sockets are bound to few, and a stranger's to no more than this. */
const MOST_ASKED = 1024;

/** Of its own: a device is looked up in the middle of a dump, whose datagram must stay. */
const BUFFER = new Uint8Array(RECEIVE_BYTES);
const VIEW = new DataView(BUFFER.buffer);

/**
 * Asks rtnetlink for the devices that sockets are bound to, one by one and each once: most hosts have hundreds of
 * devices and no socket bound to any. Needs no privilege and no /sys, which shows another namespace's devices to a
 * thread that has entered one. Never throws: a device that the kernel does not tell of is in no VRF.
 */
export class Links {
  readonly #open: () => NetlinkSocket;
  readonly #known = new Map<number, Link>();
  #socket: NetlinkSocket | undefined;
  #sequence = 0;

  /** @param open a netlink socket of protocol NETLINK_ROUTE in the namespace of the calling thread */
  constructor(open: () => NetlinkSocket) {
    this.#open = open;
  }

  /** The device with this index. */
  of(index: number): Link {
    const known = this.#known.get(index);
    if (known !== undefined) return known;
    const unknown = { name: `if${index}`, vrf: 0 };
    if (this.#known.size >= MOST_ASKED) return unknown;
    const link = this.#ask(index) ?? unknown;
    this.#known.set(index, link);
    return link;
  }

  /** Devices come and go, are renamed and join VRFs: asks for each again. */
  forget(): void {
    this.#known.clear();
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #ask(index: number): Link | undefined {
    try {
      this.#socket ??= this.#open();
      this.#sequence = (this.#sequence + 1) >>> 0;
      this.#socket.send(linkRequest(index, this.#sequence));
      for (let datagram = 0; datagram < MOST_DATAGRAMS; datagram++) {
        const received = this.#socket.receive(BUFFER);
        const end = Math.min(received, RECEIVE_BYTES);
        if (end < HEADER_BYTES || VIEW.getUint32(8, HOST_IS_LITTLE_ENDIAN) !== this.#sequence) continue;
        if (VIEW.getUint16(4, HOST_IS_LITTLE_ENDIAN) !== RTM_NEWLINK) return undefined;
        return parseLink(VIEW, HEADER_BYTES, Math.min(end, VIEW.getUint32(0, HOST_IS_LITTLE_ENDIAN)));
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.close();
      return undefined;
    }
  }
}

/** struct ifinfomsg and its attributes from `start` to `end`; undefined where it is cut off or has no name. */
export function parseLink(view: DataView, start: number, end: number): Link | undefined {
  if (end - start < IFINFOMSG_BYTES) return undefined;
  const index = view.getInt32(start + 4, HOST_IS_LITTLE_ENDIAN);
  let name: string | undefined;
  let master = 0;
  let vrf: 'itself' | 'its master' | undefined;
  forEachAttribute(view, start + IFINFOMSG_BYTES, end, (type, from, to) => {
    if (type === IFLA_IFNAME) name = text(view, from, to);
    else if (type === IFLA_MASTER && to - from >= 4) master = view.getUint32(from, HOST_IS_LITTLE_ENDIAN);
    else if (type === IFLA_LINKINFO) {
      forEachAttribute(view, from, to, (kind, first, last) => {
        if (text(view, first, Math.min(last, first + 4)) !== 'vrf') return;
        if (kind === IFLA_INFO_KIND) vrf = 'itself';
        else if (kind === IFLA_INFO_SLAVE_KIND) vrf ??= 'its master';
      });
    }
  });
  if (name === undefined || name === '') return undefined;
  return {
    name: escapeInvisible(name),
    vrf: vrf === 'itself' ? index : vrf === 'its master' ? master : 0,
  };
}

/** struct rtattr: u16 length with its own 4 bytes, u16 type, payload, padded to 4. Ends where a length is wrong. */
function forEachAttribute(
  view: DataView,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => void,
): void {
  for (let at = start; at + 4 <= end; ) {
    const length = view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
    if (length < 4 || at + length > end) return;
    visit(view.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK, at + 4, at + length);
    at += (length + 3) & ~3;
  }
}

/** Up to its NUL. */
function text(view: DataView, from: number, to: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + from, Math.max(0, to - from));
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

function linkRequest(index: number, sequence: number): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES + IFINFOMSG_BYTES + 8);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(4, RTM_GETLINK, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(6, NLM_F_REQUEST, HOST_IS_LITTLE_ENDIAN);
  view.setUint32(8, sequence, HOST_IS_LITTLE_ENDIAN);
  view.setInt32(HEADER_BYTES + 4, index, HOST_IS_LITTLE_ENDIAN);
  const at = HEADER_BYTES + IFINFOMSG_BYTES;
  view.setUint16(at, 8, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(at + 2, IFLA_EXT_MASK, HOST_IS_LITTLE_ENDIAN);
  view.setUint32(at + 4, RTEXT_FILTER_SKIP_STATS, HOST_IS_LITTLE_ENDIAN);
  return message;
}
