/** Optional labels of what can differ from another only by its device. */
export const DEVICE_LABELS = ['device'] as const;

/** The label `device`, only where there is one: an empty label is none to Prometheus, and would burden every series. */
export function deviceLabel(device: string): { readonly device?: string } {
  return device === '' ? {} : { device };
}
