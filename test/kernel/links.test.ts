import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HOST_IS_LITTLE_ENDIAN } from '../../src/kernel/endian.ts';
import { parseLink } from '../../src/kernel/links.ts';

/** struct rtattr of `include/uapi/linux/rtnetlink.h`. */
function attribute(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + ((payload.length + 3) & ~3));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + payload.length, HOST_IS_LITTLE_ENDIAN);
  view.setUint16(2, type, HOST_IS_LITTLE_ENDIAN);
  bytes.set(payload, 4);
  return bytes;
}

const text = (value: string) => Buffer.from(`${value}\0`);
const number = (value: number) => new Uint8Array(new Uint32Array([value]).buffer);
const nested = (...attributes: Uint8Array[]) => new Uint8Array(Buffer.concat(attributes));

/** struct ifinfomsg with its attributes. */
function linkOf(index: number, ...attributes: Uint8Array[]) {
  const bytes = Buffer.concat([new Uint8Array(16), ...attributes]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setInt32(4, index, HOST_IS_LITTLE_ENDIAN);
  return parseLink(view, 0, bytes.length);
}

const [IFNAME, MASTER, LINKINFO, KIND, SLAVE_KIND] = [3, 10, 18, 1, 4];

it('a device has its name, and no VRF', () => {
  expect(linkOf(7, attribute(IFNAME, text('eth0')))).toEqual({ name: 'eth0', vrf: 0 });
  // A bridge is a master too.
  expect(
    linkOf(
      7,
      attribute(IFNAME, text('veth1')),
      attribute(MASTER, number(3)),
      attribute(LINKINFO, nested(attribute(KIND, text('veth')), attribute(SLAVE_KIND, text('bridge')))),
    ),
  ).toEqual({ name: 'veth1', vrf: 0 });
});

it('a VRF is its own, and that of the devices in it', () => {
  expect(
    linkOf(9, attribute(IFNAME, text('red')), attribute(LINKINFO, nested(attribute(KIND, text('vrf'))))),
  ).toEqual({ name: 'red', vrf: 9 });
  expect(
    linkOf(
      7,
      attribute(IFNAME, text('eth1')),
      attribute(MASTER, number(9)),
      attribute(LINKINFO, nested(attribute(SLAVE_KIND, text('vrf')))),
    ),
  ).toEqual({ name: 'eth1', vrf: 9 });
});

it('a name is fit for a label', () => {
  expect(linkOf(7, attribute(IFNAME, text('e\u001b[1m')))?.name).toBe('e\\u001b[1m');
});

it('any bytes are a link or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const link = parseLink(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
      if (link !== undefined) expect(link.name).not.toBe('');
    }),
  );
});
