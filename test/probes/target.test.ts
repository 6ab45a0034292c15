import { expect, it } from 'vitest';
import { endpoint } from '../../src/base/endpoint.ts';
import { parseEndpoint, parseSource } from '../../src/probes/target.ts';

it.each([
  ['tcp://db.example.org:5432', 'db.example.org', 5432],
  ['tcp://db.example.org.:5432', 'db.example.org.', 5432],
  ['tcp://_sip._tcp.example:1', '_sip._tcp.example', 1],
  ['tcp://localhost:65535', 'localhost', 65_535],
  ['tcp://192.0.2.1:80', '192.0.2.1', 80],
  ['tcp://[2001:db8::1]:443', '2001:db8::1', 443],
  ['tcp://[fe80::1%eth0]:443', 'fe80::1%eth0', 443],
] as const)('%s is an endpoint, and is written so', (text, host, port) => {
  expect(parseEndpoint(text)).toEqual({ host, port });
  expect(`tcp://${endpoint(host, port)}`).toBe(text);
});

it.each([
  ...['', 'db:5432', 'tcp:db:5432', 'udp://db:53', 'tcp://db', 'tcp://db:', 'tcp://:80', 'tcp://db:0'],
  ...['tcp://db:65536', 'tcp://db:http', 'tcp://2001:db8::1:443', 'tcp://[db]:1', 'tcp://[192.0.2.1]:1'],
  ...['tcp://192.0.2.256:1', 'tcp://192.0.2:1', 'tcp://db:1/', 'tcp://u@db:1', ' tcp://db:1', 'TCP://db:1'],
  ...['tcp://a..b:1', `tcp://${'a'.repeat(256)}:1`, 'tcp://a\nb:1'],
])('%j is none', (text) => {
  expect(() => parseEndpoint(text)).toThrow(
    `invalid value ${JSON.stringify(text)}: expected tcp://HOST:PORT or tcp://[IPV6]:PORT`,
  );
});

it('a source is an address of the family of its target', () => {
  expect(parseSource('192.0.2.1')).toBe('192.0.2.1');
  expect(parseSource('2001:db8::9', '2001:db8::1')).toBe('2001:db8::9');
  expect(parseSource('2001:db8::9', 'db.example')).toBe('2001:db8::9');
  for (const text of ['', 'eth0', '192.0.2.1/32', 'fe80::1%eth0', '[::1]']) {
    expect(() => parseSource(text)).toThrow(': expected an IP address of this host');
  }
  expect(() => parseSource('2001:db8::9', '192.0.2.1')).toThrow(
    'expected an IPv4 address, the family of 192.0.2.1',
  );
});
