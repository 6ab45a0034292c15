/**
 * Makes connect() calls with one socket and counts those that are refused for want of a port: as a process, with its
 * arguments on the command line, or as a thread, with them in `workerData`. Says how many, as a line of JSON or a message.
 *
 * Arguments: an IPv4 address, a port, and how many calls, or for how many milliseconds (`500ms`).
 */
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

const koffi = createRequire(import.meta.url)('koffi');
const lib = koffi.load(null);
const socket = lib.func('int socket(int, int, int)');
const connect = lib.func('int connect(int, uint8_t *, uint32_t)');
const EADDRNOTAVAIL = 99;

const [address, port, howMany] = workerData ?? process.argv.slice(2);
const sockaddr = new Uint8Array(16);
new DataView(sockaddr.buffer).setUint16(0, 2, true);
new DataView(sockaddr.buffer).setUint16(2, Number(port));
sockaddr.set(address.split('.').map(Number), 4);

const endsAt = String(howMany).endsWith('ms')
  ? performance.now() + Number.parseFloat(howMany)
  : Number.POSITIVE_INFINITY;
const atMost = endsAt < Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : Number(howMany);
const fd = socket(2, 1, 0);
let refused = 0;
for (let call = 0; call < atMost && (call % 256 !== 0 || performance.now() < endsAt); call++) {
  if (connect(fd, sockaddr, 16) >= 0 || koffi.errno() !== EADDRNOTAVAIL) break;
  refused++;
}
if (parentPort === null) process.stdout.write(`${JSON.stringify({ refused })}\n`);
else parentPort.postMessage({ refused });
