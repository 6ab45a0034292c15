/** `127.0.0.1:80`, `[::1]:80`, `db.example.org:80`. */
export function endpoint(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `10.0.0.1%eth1`, as ss writes the address of a socket that is bound to a device; '' for none. */
export function onDevice(address: string, device: string): string {
  return device === '' ? address : `${address}%${device}`;
}

/** Whether the letters are those of a host's name. Whether it resolves is another matter. */
export function isHostName(name: string): boolean {
  // Without the last condition a mistyped IPv4 address would go to the resolver, whose answer takes seconds.
  return name.length <= 255 && /^[\w-]+(?:\.[\w-]+)*\.?$/.test(name) && /[a-z]/i.test(name);
}
