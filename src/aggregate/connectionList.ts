/** Growing list of connections: the row of their destination, their port, and what kind of state they are in. */
export class ConnectionList {
  #rows = new Uint32Array(64);
  #ports = new Uint16Array(64);
  #kinds = new Uint8Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(row: number, port: number, kind: number): void {
    if (this.#size === this.#rows.length) this.#grow();
    this.#rows[this.#size] = row;
    this.#ports[this.#size] = port;
    this.#kinds[this.#size] = kind;
    this.#size++;
  }

  row(index: number): number {
    return this.#rows[index] as number;
  }

  port(index: number): number {
    return this.#ports[index] as number;
  }

  kind(index: number): number {
    return this.#kinds[index] as number;
  }

  clear(): void {
    this.#size = 0;
  }

  #grow(): void {
    const length = this.#size * 2;
    this.#rows = copyInto(new Uint32Array(length), this.#rows);
    this.#ports = copyInto(new Uint16Array(length), this.#ports);
    this.#kinds = copyInto(new Uint8Array(length), this.#kinds);
  }
}

function copyInto<T extends Uint8Array | Uint16Array | Uint32Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
