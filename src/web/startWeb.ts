import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { ListenOptions, Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { ExporterError, errorCode, KernelError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { WebConfig } from './config/webConfig.ts';
import { Connections } from './connections.ts';
import { formatListenAddress, type ListenAddress } from './listenAddress.ts';
import { refusal, refuse, refuseBroken, refusedStatus } from './refusals.ts';
import { Slots } from './slots.ts';

/** Somebody else listens there, or holds the port otherwise. */
export class AddressInUse extends ExporterError {
  readonly address: ListenAddress;

  constructor(message: string, address: ListenAddress) {
    super(message);
    this.address = address;
  }
}

/** A socket that is bound already, as a file descriptor of this process. */
export interface HandedOver {
  readonly fd: number;
}

export interface Web {
  /** What was really bound, in the order asked for: IP addresses, and the port the kernel chose where 0 was asked. */
  readonly addresses: readonly ListenAddress[];
  /** Stops listening, lets running requests end for half a second, then drops what is left. Never rejects. */
  close(): Promise<void>;
}

const LIMITS = {
  /** Milliseconds a client has to send its whole request. */
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  /** Longer than the usual scrape intervals, so that a scraper keeps its connection. */
  keepAliveTimeout: 120_000,
  connectionsCheckingInterval: 1_000,
} as const;

/**
 * Open connections, over all addresses. Scrapers have a handful. The usual limit of open files is 1024 for a process, and
 * sampling needs some of them.
 */
const MOST_CONNECTIONS = 512;

/** Milliseconds without a byte in either direction while a request runs: a client that does not read its answer. */
const SILENCE_MS = 30_000;

const GRACE_MS = 500;
const GRACE_STEP_MS = 25;

/**
 * Serves `app` on all of `places`, or on none: where one cannot be opened, those before it are closed again and an
 * ExporterError says which it was, `listening on [::1]:10069: address already in use (EADDRINUSE)`. An address without
 * host is the dual-stack `::`, and `0.0.0.0` on a machine without IPv6 (net.Server.listen does both).
 *
 * @param config asked anew at every connection and every request
 * @param listenForUs listens where this process may not; undefined where nobody may
 */
export async function startWeb(
  app: Pick<Hono, 'fetch'>,
  places: readonly (ListenAddress | HandedOver)[],
  log: Logger,
  config: () => WebConfig,
  listenForUs?: ListenForUs,
): Promise<Web> {
  const listener = getRequestListener(app.fetch, {
    // HTTP/1.0 probes send no Host header; without a name to put in its place they would get a 400.
    hostname: 'localhost',
    errorHandler: () => {
      const { headers, line } = refusal(400, config());
      return new Response(line, { status: 400, headers });
    },
  });
  const opened: Opened[] = [];
  const slots = new Slots(MOST_CONNECTIONS);
  const close = async () => {
    await Promise.all(opened.map(closeServer));
  };
  try {
    for (const place of places) {
      const server = createServer({ ...LIMITS, requireHostHeader: false });
      const connections = new Connections(server, config, log, slots);
      server.on('request', guarded(listener, connections, config));
      refuseBroken(server, config);
      opened.push({ server: await open(server, place, listenForUs), connections });
    }
  } catch (thrown) {
    await close();
    throw thrown;
  }
  const servers = opened.map(({ server }) => server);
  for (const server of servers) {
    server.on('error', (error) => log.warn('failed to accept a connection', { error }));
  }
  return { addresses: servers.map(boundAddress), close };
}

type ListenForUs = (address: ListenAddress) => Promise<NetServer>;

interface Opened {
  readonly server: Server;
  readonly connections: Connections;
}

function guarded(
  listener: RequestListener,
  connections: Connections,
  config: () => WebConfig,
): RequestListener {
  return (request, response) => {
    const status = refusedStatus(request);
    const isWelcome = connections.begin(request, response) && !connections.isOutdated(request);
    // Nobody reads on who was let in by rules that no longer hold. Scrapers connect again without being told.
    if (!isWelcome) request.socket.destroy();
    else if (status !== undefined) refuse(response, status, config());
    else listener(request, response);
  };
}

async function open(
  server: Server,
  place: ListenAddress | HandedOver,
  listenForUs: ListenForUs | undefined,
): Promise<Server> {
  server.setTimeout(SILENCE_MS);
  try {
    await listen(server, { ...place });
  } catch (thrown) {
    if ('fd' in place) throw unfitSocket(place, thrown);
    if (errorCode(thrown) !== 'EACCES' || listenForUs === undefined) throw listenError(place, thrown);
    // A privileged port, and this process has given up the capability for it.
    const opened = await listenForUs(place).catch((error: unknown) => {
      throw listenError(place, error);
    });
    await listen(server, opened);
  }
  // A Unix socket has none that could be told.
  if ('fd' in place && server.address() === null) {
    server.close();
    throw unfitSocket(place);
  }
  return server;
}

async function listen(server: Server, options: ListenOptions | HandedOver | NetServer): Promise<void> {
  server.listen(options);
  await once(server, 'listening');
}

function unfitSocket({ fd }: HandedOver, cause?: unknown): ExporterError {
  return new ExporterError(
    `listening on inherited file descriptor ${fd}: not a listening TCP socket: expected ListenStream=[ADDRESS:]PORT and Accept=no`,
    cause === undefined ? {} : { cause },
  );
}

/** libuv's negative error numbers also cover the resolver's, so a host that is not known reads like an errno. */
function listenError(place: ListenAddress, thrown: unknown): ExporterError {
  const what = `listening on ${formatListenAddress(place)}`;
  if (thrown instanceof Error && 'errno' in thrown && typeof thrown.errno === 'number') {
    const refusal = new KernelError(what, -thrown.errno);
    return refusal.code === 'EADDRINUSE' ? new AddressInUse(refusal.message, place) : refusal;
  }
  return new ExporterError(what, { cause: thrown });
}

function boundAddress(server: Server): ListenAddress {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error(`not a TCP server: ${bound}`);
  return { host: bound.address, port: bound.port };
}

async function closeServer({ server, connections }: Opened): Promise<void> {
  let open = true;
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      open = false;
      resolve();
    });
  });
  // A connection whose request ends only now becomes idle and would be kept alive.
  for (let waited = 0; open && waited < GRACE_MS; waited += GRACE_STEP_MS) {
    server.closeIdleConnections();
    await Promise.race([closed, sleep(GRACE_STEP_MS)]);
  }
  connections.destroyAll();
  await closed;
}
