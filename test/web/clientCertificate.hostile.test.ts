import { once } from 'node:events';
import { connect } from 'node:tls';
import { describe, expect } from 'vitest';
import { createLogger } from '../../src/base/createLogger.ts';
import { NO_WEB_CONFIG, type WebConfig } from '../../src/web/config/webConfig.ts';
import { startWeb } from '../../src/web/startWeb.ts';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { Authority, type Certificate } from '../support/certificates.ts';
import { plainApp, portOf } from './served.ts';

const missing = missingTool('openssl', 'version');

/** DER: a tag, the length, and what it holds; text byte by byte. */
function der(tag: number, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
  );
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const UTF8 = 0x0c;
// RFC 5280, section 4.2.1.6: GeneralName.
const dns = (name: string) => der(0x82, name);
const uri = (name: string) => der(0x86, name);
const otherName = (oid: string, tag: number, value: string) =>
  der(0xa0, der(0x06, Buffer.from(oid, 'hex')), der(0xa0, der(tag, value)));

/** What no authority would put there, though nothing keeps it from doing so. */
const HOSTILE: readonly (readonly [string, Buffer])[] = [
  ['invalid UTF-8', dns('a\xff\xfe.example')],
  ['a zero byte behind the right name', dns('admin.example\0.evil.example')],
  ['quotes and the right name', dns('a", DNS:admin.example, DNS:"')],
  ['control characters', dns('a\n\r\t\x01\x7f\x1b.example')],
  ['a backslash at its end', dns('a\\')],
  ['half an escape', uri('http://x/\\\\u12"')],
  ['a lone quote', dns('"')],
  ['nothing', dns('')],
  ['9000 quotes', dns('"'.repeat(9_000))],
  ['an address of five bytes', der(0x87, 'abcde')],
  ['an address of none', der(0x87)],
  ['a mail address of two lines', der(0x81, 'a\n@b"')],
  ['another name of invalid UTF-8', otherName('2b06010505070805', UTF8, 'a\xff"\n, DNS:admin.example')],
  ['another name of a mailbox', otherName('2b06010505070809', UTF8, 'a\xff@b"\\, DNS:admin.example')],
  ['an unknown other name', otherName('2a0304', UTF8, '", DNS:admin.example')],
  [
    'half a surrogate',
    der(0xa4, der(0x30, der(0x31, der(0x30, der(0x06, '\x55\x04\x03'), der(0x1e, '\xd8\0\0"'))))),
  ],
];

describe('a client certificate of hostile names', () => {
  itNeeding(missing, 'is the end of its connection, and of nothing else', async () => {
    const authority = new Authority(newDirectory());
    const { cert, key } = authority.issue('server');
    const config: WebConfig = {
      ...NO_WEB_CONFIG,
      tls: {
        options: { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
        clientAuth: 'RequireAndVerifyClientCert',
        allowedSans: ['admin.example'],
      },
    };
    const lines: string[] = [];
    const log = createLogger({ level: 'debug', format: 'logfmt' }, (line) => lines.push(line));
    const web = await startWeb(plainApp(), [{ host: '127.0.0.1', port: 0 }], log, () => config);
    const answerTo = async (client: Certificate) => {
      const socket = connect({
        host: '127.0.0.1',
        port: portOf(web),
        ca: authority.cert,
        cert: client.cert,
        key: client.key,
      });
      socket.on('error', () => {});
      socket.write('GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      await once(socket, 'close').catch(() => {});
      return answer;
    };
    try {
      for (const [index, [what, name]] of HOSTILE.entries()) {
        const sans = `DER:${der(0x30, name).toString('hex')}`;
        expect(await answerTo(authority.issue(`hostile${index}`, [sans])), what).toBe('');
        expect(
          lines.filter((line) => line.includes('TLS connection refused')),
          what,
        ).toHaveLength(index + 1);
      }
      expect(await answerTo(authority.issue('admin', ['DNS:admin.example']))).toContain('200 OK');
    } finally {
      await web.close();
    }
  });
});
