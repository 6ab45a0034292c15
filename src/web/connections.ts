import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Logger } from '../base/logger.ts';
import { refusalOf } from './clientCertificate.ts';
import type { TlsSettings, WebConfig } from './config/webConfig.ts';

/** Milliseconds for the TLS handshake. */
const HANDSHAKE_MS = 10_000;

/** Stands between a listening server's connections and HTTP: each is met by the TLS settings in force when it comes. */
export class Connections {
  readonly #config: () => WebConfig;
  readonly #log: Logger;
  readonly #serve: (socket: Socket) => void;
  readonly #open = new Set<Socket>();
  readonly #madeUnder = new WeakMap<Socket, TlsSettings | undefined>();
  #tls: { readonly settings: TlsSettings; readonly server: TlsServer } | undefined;

  /** @param server one that speaks plain HTTP and has no connection yet */
  constructor(server: Server, config: () => WebConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
    // What node:http does with a new connection, and node:https with one that has shaken hands.
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    this.#serve = (socket) => {
      for (const listener of listeners) listener.call(server, socket);
    };
    server.on('connection', (socket: Socket) => this.#meet(socket));
  }

  /** Whether it was made under TLS settings (or none) that have changed since. */
  isOutdated({ socket }: IncomingMessage): boolean {
    return this.#madeUnder.get(socket) !== this.#config().tls;
  }

  /** Destroys all connections, those in the handshake too, which node:http does not know of. */
  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #meet(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    const { tls } = this.#config();
    if (tls === undefined) this.#admit(socket, undefined);
    else this.#tlsServer(tls).emit('connection', socket);
  }

  #admit(socket: Socket, settings: TlsSettings | undefined): void {
    this.#madeUnder.set(socket, settings);
    this.#serve(socket);
  }

  /** A server that never listens: connections are handed to it (node:tls, event `connection`). */
  #tlsServer(settings: TlsSettings): TlsServer {
    if (this.#tls?.settings === settings) return this.#tls.server;
    const server = createServer({ ...settings.options, handshakeTimeout: HANDSHAKE_MS });
    server.on('secureConnection', (socket) => {
      const refusal = refusalOf(socket, settings);
      if (refusal === undefined) this.#admit(socket, settings);
      else this.#refuse(socket, refusal);
    });
    server.on('tlsClientError', (error, socket) => this.#refuse(socket, error.message));
    this.#tls = { settings, server };
    return server;
  }

  /** Not above debug: strangers could fill the log. */
  #refuse(socket: TLSSocket, reason: string): void {
    this.#log.debug('TLS connection refused', { remote: socket.remoteAddress, reason });
    socket.destroy();
  }
}
