/** How many rows of each open-ended table are exported. */
export interface Limits {
  readonly destinations: number;
  readonly localAddresses: number;
  readonly listeners: number;
  readonly owners: number;
  readonly snat: number;
}
