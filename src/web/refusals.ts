import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebConfig } from './config/webConfig.ts';
import { securityHeaders } from './securityHeaders.ts';

/** What node:http's parser and timers fail with (http.Server, event `clientError`); anything else is a 400. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** Milliseconds a client that is refused may go on sending, unread: a reset would take the answer from it. */
const LINGER_MS = 500;

/** Has `server` put the security headers also on what it answers itself, before there is a request. */
export function refuseBroken(server: Server, config: () => WebConfig): void {
  const refused = new WeakSet<Duplex>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // The rest of what was not understood is not understood either.
    if (refused.has(socket)) return;
    refused.add(socket);
    const answer = Reflect.get(socket, '_httpMessage') as ServerResponse | undefined;
    // An answer that has begun cannot be followed by another.
    if (!socket.writable || answer?.headersSent === true) socket.destroy();
    else endWith(socket, STATUS_OF_CODE[error.code ?? ''] ?? 400, config());
  });
  server.on('connect', (_request, socket) => endWith(socket, 405, config()));
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    refuse(response, 417, config());
  });
}

/** The status for a request that is not looked at any further; undefined for one that is. */
export function refusedStatus({ headers, httpVersion }: IncomingMessage): number | undefined {
  // RFC 9112, section 3.2. HTTP/1.0 probes send none.
  if (headers.host === undefined && httpVersion === '1.1') return 400;
  // Nothing here takes a body, and one could be without end.
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody ? 413 : undefined;
}

/** One line, and the connection is closed: what comes on it next may be the rest of a body. */
export function refuse(response: ServerResponse, status: number, config: WebConfig): void {
  const { headers, line } = refusal(status, config);
  response.writeHead(status, { ...headers, Connection: 'close' }).end(line);
}

/** What a refusal is made of. */
export function refusal(
  status: number,
  config: WebConfig,
): { headers: Record<string, string>; line: string } {
  const line = `${status} ${STATUS_CODES[status]}\n`;
  const headers = {
    ...securityHeaders(config),
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Length': String(line.length),
  };
  return { headers, line };
}

/** The same for a client whose request was not understood. */
function endWith(socket: Duplex, status: number, config: WebConfig): void {
  const { headers, line } = refusal(status, config);
  const head = Object.entries({ ...headers, Connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${line}`);
  socket.once('end', () => socket.destroy());
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
