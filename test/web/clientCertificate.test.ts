import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { subjectAltNames } from '../../src/web/clientCertificate.ts';
import { itNeeding, missingTool } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { Authority } from '../support/certificates.ts';

describe('the subject alternative names of a certificate', () => {
  itNeeding(missingTool('openssl', 'version'), 'are those it was given, of every kind', () => {
    const sans = ['DNS:a.example', 'DNS:*.b.example', 'IP:192.0.2.1', 'IP:2001:db8::1', 'email:a@b.example'];
    const { cert } = new Authority(newDirectory()).issue('x', [...sans, 'URI:spiffe://cluster/ns/a']);
    expect(subjectAltNames(new X509Certificate(cert).subjectAltName)).toEqual([
      'a.example',
      '*.b.example',
      '192.0.2.1',
      '2001:db8::1',
      'a@b.example',
      'spiffe://cluster/ns/a',
    ]);
  });

  it.each([
    [undefined, []],
    ['', []],
    ['DNS:"a', []],
    ['DNS:"a\\x", DNS:b', ['b']],
    ['DNS:"a.example, DNS:admin.example"', ['a.example, DNS:admin.example']],
    ['URI:"http://x/\\", DNS:admin.example", DNS:b', ['http://x/", DNS:admin.example', 'b']],
    ['othername:<unsupported>, DirName:"CN = x, DNS:admin.example", DNS:c', ['c']],
    ['DNS:"\\x", DNS:"\u0001", DNS:a', ['a']],
  ])('of %j are %j: no value can pass for another name', (line, names) => {
    expect(subjectAltNames(line)).toEqual(names);
  });
});
