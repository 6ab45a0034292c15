import { printable } from '../base/printable.ts';
import { CONTAINER_SCOPE, type Found, findTenant, unitName } from './tenant.ts';

/** Who a cgroup belongs to, as people know it. */
export interface Owner {
  /**
   * `nginx.service`, `user@1000.service/foo.service`, `user@1000.service/container/<id>`, `container/<id>`,
   * `pod/<uid>/<id>`, `pod/<uid>`, or the path.
   */
  readonly owner: string;
  /** The first 12 digits, as `docker ps` prints them; of LXC the container's name. */
  readonly containerId?: string;
  readonly podUid?: string;
}

const PATH_LIMIT = 200;
const NAME_LIMIT = 64;
const SHORT_ID = 12;

/**
 * The owner of a cgroup by its path below the mount, `/system.slice/nginx.service`. The outermost unit, container or pod
 * counts, and only where systemd, a runtime or the kubelet puts one: whoever has a cgroup may make any others below it.
 */
export function ownerOf(path: string): Owner {
  const found = findTenant(path);
  return found === undefined ? { owner: printable(path === '' ? '/' : path, PATH_LIMIT) } : named(found);
}

function named({ tenant, inside }: Found): Owner {
  switch (tenant.kind) {
    case 'unit':
      return { owner: /^user@.+\.service$/.test(tenant.name) ? userOwner(tenant.name, inside) : tenant.name };
    case 'container': {
      const containerId = shortId(tenant.id);
      return { owner: `container/${containerId}`, containerId };
    }
    case 'pod': {
      const { uid: podUid, id } = tenant;
      if (id === undefined) return { owner: `pod/${podUid}`, podUid };
      const containerId = shortId(id);
      return { owner: `pod/${podUid}/${containerId}`, podUid, containerId };
    }
  }
}

/** Two users' units of one name are two owners, and neither is the system's; nor are their containers. */
function userOwner(manager: string, inside: readonly string[]): string {
  const unit = inside.map(unitName).find((name) => name !== undefined);
  // The user's systemd itself is in an init.scope of its own.
  if (unit === undefined || unit === 'init.scope') return manager;
  const [, id] = CONTAINER_SCOPE.exec(unit) ?? [];
  return `${manager}/${id === undefined ? unit : `container/${shortId(id)}`}`;
}

function shortId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, SHORT_ID) : printable(id, NAME_LIMIT);
}
