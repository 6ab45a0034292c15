/** What every panel has. */
export interface Described {
  readonly title: string;
  /** What it shows and, for exhaustion, the error that the application sees. */
  readonly description: string;
  /** Grafana's name of it. */
  readonly unit: string;
}
