import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createServer, TLSSocket, type Server as TlsServer } from 'node:tls';
import { errorLine } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { refusalOf } from './clientCertificate.ts';
import type { TlsSettings, WebConfig } from './config/webConfig.ts';
import type { Slots } from './slots.ts';

/** Milliseconds for the TLS handshake. */
const HANDSHAKE_MS = 10_000;

/** Stands between a listening server's connections and HTTP: each is met by the TLS settings in force when it comes. */
export class Connections {
  readonly #config: () => WebConfig;
  readonly #log: Logger;
  readonly #slots: Slots;
  readonly #serve: (socket: Socket) => void;
  readonly #open = new Set<Socket>();
  readonly #madeUnder = new WeakMap<Socket, TlsSettings | undefined>();
  #tls: { readonly settings: TlsSettings; readonly server: TlsServer } | undefined;

  /**
   * @param server one that speaks plain HTTP and has no connection yet
   * @param slots those of all listen addresses
   */
  constructor(server: Server, config: () => WebConfig, log: Logger, slots: Slots) {
    this.#config = config;
    this.#log = log;
    this.#slots = slots;
    // What node:http does with a new connection, and node:https with one that has shaken hands.
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    this.#serve = (socket) => {
      for (const listener of listeners) listener.call(server, socket);
    };
    server.on('connection', (socket: Socket) => this.#orDestroy(socket, () => this.#meet(socket)));
  }

  /** Whether it was made under TLS settings (or none) that have changed since. */
  isOutdated({ socket }: IncomingMessage): boolean {
    return this.#madeUnder.get(socket) !== this.#config().tls;
  }

  /** Its connection is not idle until it is answered. False where that has too many to answer, or is closed already. */
  begin({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const end = this.#slots.begin(acceptedOf(socket));
    if (end !== undefined) response.once('close', end);
    return end !== undefined;
  }

  /** Destroys all connections, those in the handshake too, which node:http does not know of. */
  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #meet(socket: Socket): void {
    if (!this.#slots.take(socket)) {
      this.#refuse(socket, 'too many connections are open');
      return;
    }
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    const { tls } = this.#config();
    if (tls === undefined) {
      this.#admit(socket, undefined);
    } else {
      // As in node:https: who ends within the handshake is gone, and not waited for until its end.
      socket.allowHalfOpen = false;
      this.#tlsServer(tls).emit('connection', socket);
    }
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
      this.#orDestroy(socket, () => {
        const refusal = refusalOf(socket, settings);
        if (refusal === undefined) this.#admit(socket, settings);
        else this.#refuse(socket, refusal);
      });
    });
    server.on('tlsClientError', (error, socket) => this.#refuse(socket, error.message));
    this.#tls = { settings, server };
    return server;
  }

  /** Whatever a stranger's connection makes fail is the end of that connection, and not of the process. */
  #orDestroy(socket: Socket, meet: () => void): void {
    try {
      meet();
    } catch (thrown) {
      this.#refuse(socket, errorLine(thrown));
    }
  }

  /** Not above debug: strangers could fill the log. */
  #refuse(socket: Socket, reason: string): void {
    const what = socket instanceof TLSSocket ? 'TLS connection' : 'connection';
    this.#log.debug(`${what} refused`, { remote: socket.remoteAddress, reason });
    socket.destroy();
  }
}

/** What was accepted; under TLS node:tls has it as the parent of what HTTP sees. */
function acceptedOf(socket: Socket): Socket {
  return (Reflect.get(socket, '_parent') as Socket | undefined | null) ?? socket;
}
