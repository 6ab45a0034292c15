import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Owner, ownerOf } from '../../src/owners/ownerName.ts';
import { cpuMs } from '../support/cpu.ts';

const ID = '9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d';
const OTHER = '468f848e2ebec7203ed55748d08337851af589ac42eb551c572446a5c68fe631';
const SHORT = '9ec39b91f3d7';
const UID = '1e597579-417e-482f-bf65-5fe170c3aebd';
const UID_ = UID.replaceAll('-', '_');
const STATIC = '36b6d6be73b1065af369b3985edafa09';

const container: Owner = { owner: `container/${SHORT}`, containerId: SHORT };
const inPod: Owner = { owner: `pod/${UID}/${SHORT}`, podUid: UID, containerId: SHORT };
const unit = (name: string): Owner => ({ owner: name });
const userUnit = (name: string): Owner => ({ owner: `user@1000.service/${name}` });
const usersContainer = userUnit(`container/${SHORT}`);
const outermost: Owner = { owner: `container/${OTHER.slice(0, 12)}`, containerId: OTHER.slice(0, 12) };
const USER = '/user.slice/user-1000.slice/user@1000.service';

describe.each<[string, [path: string, owner: Owner][]]>([
  [
    'systemd units',
    [
      ['/system.slice/nginx.service', unit('nginx.service')],
      ['/system.slice/ssh.socket', unit('ssh.socket')],
      ['/init.scope', unit('init.scope')],
      [
        '/system.slice/system-postgresql.slice/postgresql@16-main.service',
        unit('postgresql@16-main.service'),
      ],
      ['/system.slice/dev-disk-by\\x2dlabel-data.mount', unit('dev-disk-by\\x2dlabel-data.mount')],
      ['/system.slice/foo\\x2dbar@a\\x2db.service', unit('foo\\x2dbar@a\\x2db.service')],
      ['/system.slice/my:odd:name.service', unit('my:odd:name.service')],
      ['/system.slice/_cpu.service', unit('cpu.service')],
      ['/srv.slice/redis.service', unit('redis.service')],
      ['/user.slice/user-1000.slice/session-4.scope', unit('session-4.scope')],
      ['/wsl-user/distro-1/systemd/system.slice/cron.service', unit('cron.service')],
    ],
  ],
  [
    'what is below a unit',
    [
      ['/system.slice/systemd-udevd.service/udev', unit('systemd-udevd.service')],
      ['/system.slice/containerd.service', unit('containerd.service')],
      ['/system.slice/postfix.service/nested.service/deeper.scope', unit('postfix.service')],
    ],
  ],
  [
    'units of users',
    [
      [`${USER}/app.slice/syncthing.service`, userUnit('syncthing.service')],
      [`${USER}/app.slice/app-kollektivkart.slice/kart@8000.service`, userUnit('kart@8000.service')],
      [`${USER}/session.slice/pipewire.service/sub`, userUnit('pipewire.service')],
      [`${USER}/app.slice/app-org.gnome.Terminal.slice/vte-spawn-7f.scope`, userUnit('vte-spawn-7f.scope')],
      [`${USER}/init.scope`, unit('user@1000.service')],
      [USER, unit('user@1000.service')],
    ],
  ],
  [
    'Kubernetes with systemd',
    [
      [
        `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice/cri-containerd-${ID}.scope`,
        inPod,
      ],
      [`/kubepods.slice/kubepods-pod${UID_}.slice/crio-${ID}.scope`, inPod],
      [`/kubepods.slice/kubepods-pod${UID_}.slice/crio-${ID}.scope/container`, inPod],
      [
        `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/docker-${ID}.scope`,
        inPod,
      ],
      [
        `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${STATIC}.slice/cri-containerd-${ID}.scope`,
        { owner: `pod/${STATIC}/${SHORT}`, podUid: STATIC, containerId: SHORT },
      ],
      [`/kubepods.slice/kubepods-pod${UID_}.slice`, { owner: `pod/${UID}`, podUid: UID }],
      [
        `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice/crio-conmon-${ID}.scope`,
        { owner: `pod/${UID}`, podUid: UID },
      ],
    ],
  ],
  [
    'Kubernetes with cgroupfs',
    [
      [`/kubepods/burstable/pod${UID}/${ID}`, inPod],
      [`/kubepods/pod${UID}/${ID}`, inPod],
      [`/kubepods/burstable/pod${UID}/crio-${ID}`, inPod],
      [
        `/kubepods/besteffort/pod${STATIC}/${ID}`,
        { ...inPod, owner: `pod/${STATIC}/${SHORT}`, podUid: STATIC },
      ],
      [`/kubepods/burstable/pod${UID}`, { owner: `pod/${UID}`, podUid: UID }],
    ],
  ],
  [
    'Kubernetes with a cgroup root of its own, as in kind',
    [
      [
        `/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod${UID_}.slice/cri-containerd-${ID}.scope`,
        inPod,
      ],
      [`/kubelet/kubepods/burstable/pod${UID}/${ID}`, inPod],
    ],
  ],
  [
    'Kubernetes in a container, which is the owner: any container could make the same',
    [
      [
        `/system.slice/docker-${OTHER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${UID_}.slice/cri-containerd-${ID}.scope`,
        outermost,
      ],
      [
        `/docker/${OTHER}/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/crio-${ID}.scope`,
        outermost,
      ],
      [`/docker/${OTHER}/kubelet/kubepods/burstable/pod${UID}/${ID}`, outermost],
    ],
  ],
  [
    'what the kernel shows to a container of what is beside it',
    [
      [`/../../kubepods-besteffort-pod${UID_}.slice/cri-containerd-${ID}.scope`, inPod],
      [
        `/../../../kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice/cri-containerd-${ID}.scope`,
        inPod,
      ],
      [`/../../pod${UID}/${ID}`, inPod],
      [`/../../../burstable/pod${UID}/${ID}`, inPod],
      [`/../../../../kubepods/burstable/pod${UID}/${ID}`, inPod],
      [`/../cri-containerd-${ID}.scope`, container],
      [`/../${ID}`, container],
      ['/../../../../system.slice/nginx.service', unit('nginx.service')],
      [`/../../../../system.slice/nginx.service/kubepods/pod${UID}/${ID}`, unit('nginx.service')],
      [`/../../../..${USER}/kubepods/pod${UID}/${ID}`, unit('user@1000.service')],
      [`/../../../../srv/pod${UID}/x`, { owner: `/../../../../srv/pod${UID}/x` }],
      ['/../..', { owner: '/../..' }],
    ],
  ],
  [
    'a runtime told to use systemd that did not',
    [
      [`/system.slice/containerd.service/kubepods-burstable-pod${UID_}.slice:cri-containerd:${ID}`, inPod],
      [`/kubepods-pod${UID_}.slice:cri-containerd:${ID}`, inPod],
      [`/system.slice:docker:${ID}`, container],
    ],
  ],
  [
    'docker and containerd',
    [
      [`/docker/${ID}`, container],
      [`/system.slice/docker-${ID}.scope`, container],
      [`${USER}/user.slice/docker-${ID}.scope`, usersContainer],
      [`/system.slice/containerd.service/default/${ID}`, container],
      [`/default/${ID}`, container],
      [`/k8s.io/${ID}`, container],
      [`/system.slice/nerdctl-${ID}.scope`, container],
      [`${USER}/user.slice/nerdctl-${ID}.scope`, usersContainer],
      [`/ecs/f9b3c1d2e4a5968778695a4b3c2d1e0f/${ID}`, container],
      [`/ecs/main/f9b3c1d2e4a5968778695a4b3c2d1e0f/${ID}`, container],
      [`/actions_job/${ID}`, container],
      [`/${ID}`, container],
      [`/docker/${OTHER}/docker/${ID}`, outermost],
      [`/docker/${ID}/init`, container],
      [`/docker/${ID}/system.slice/nginx.service`, container],
    ],
  ],
  [
    'podman',
    [
      [`/machine.slice/libpod-${ID}.scope`, container],
      [`/machine.slice/libpod-${ID}.scope/container`, container],
      [`/machine.slice/machine-libpod_pod_${OTHER}.slice/libpod-${ID}.scope/container`, container],
      [`${USER}/user.slice/libpod-${ID}.scope/container`, usersContainer],
      [`${USER}/user.slice/user-libpod_pod_${OTHER}.slice/libpod-${ID}.scope/container`, usersContainer],
      [`/libpod_parent/libpod-${ID}`, container],
      [`/libpod_parent/libpod-${ID}/ctr`, container],
      [`/libpod_parent/${OTHER}/libpod-${ID}`, container],
      [`/machine.slice/libpod-conmon-${ID}.scope`, unit(`libpod-conmon-${ID}.scope`)],
      [`/system.slice/web.service/libpod-payload-${ID}`, unit('web.service')],
      [`/system.slice/web.service/runtime`, unit('web.service')],
      [`${USER}/app.slice/web.service/libpod-payload-${ID}`, userUnit('web.service')],
    ],
  ],
  [
    'lxc',
    [
      ['/lxc.payload.web-1', { owner: 'container/web-1', containerId: 'web-1' }],
      [
        '/lxc.payload.webserver-production-1',
        { owner: 'container/webserver-production-1', containerId: 'webserver-production-1' },
      ],
      [
        '/lxc.payload.focal/system.slice/avahi-daemon.service',
        { owner: 'container/focal', containerId: 'focal' },
      ],
      ['/lxc.payload/c1', { owner: 'container/c1', containerId: 'c1' }],
      ['/lxc/101/ns/system.slice/ssh.service', { owner: 'container/101', containerId: '101' }],
      [`/lxc.payload.101/docker/${ID}`, { owner: 'container/101', containerId: '101' }],
      ['/lxc.monitor.web-1', { owner: '/lxc.monitor.web-1' }],
    ],
  ],
  [
    'machines',
    [
      ['/machine.slice/machine-debian.scope', unit('machine-debian.scope')],
      [
        '/machine.slice/machine-debian.scope/payload/system.slice/nginx.service',
        unit('machine-debian.scope'),
      ],
      [
        '/machine.slice/systemd-nspawn@debian.service/payload/init.scope',
        unit('systemd-nspawn@debian.service'),
      ],
      [
        '/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator',
        unit('machine-qemu\\x2d1\\x2dvm.scope'),
      ],
    ],
  ],
  [
    'anything else',
    [
      ['/', { owner: '/' }],
      ['', { owner: '/' }],
      ['/system.slice', { owner: '/system.slice' }],
      ['/user.slice/user-1000.slice', { owner: '/user.slice/user-1000.slice' }],
      ['/default/redis', { owner: '/default/redis' }],
      ['/docker/buildkit/xyz', { owner: '/docker/buildkit/xyz' }],
      [`/docker/${ID.slice(1)}`, { owner: `/docker/${ID.slice(1)}` }],
      ['/a pod/podfoo', { owner: '/a pod/podfoo' }],
      ['/evil\u001b[31m\u202e.service', { owner: '/evil\\u001b[31m\\u202e.service' }],
      [`/${'long'.repeat(60)}`, { owner: `/${'long'.repeat(60).slice(0, 198)}\u2026` }],
    ],
  ],
])('%s', (_, table) => {
  it.each(table)('%s', (path, owner) => {
    expect(ownerOf(path)).toEqual(owner);
  });
});

describe('whoever has a cgroup', () => {
  /** Cgroups that somebody may be given, and whose they are. */
  const TENANTS: [path: string, owner: string][] = [
    ['/system.slice/web.service', 'web.service'],
    ['/system.slice/system-web.slice/web@1.service', 'web@1.service'],
    ['/srv.slice/build.scope', 'build.scope'],
    ['/user.slice/user-1000.slice/session-4.scope', 'session-4.scope'],
    [`${USER}/app.slice/web.service`, 'user@1000.service/web.service'],
    [`/docker/${OTHER}`, outermost.owner],
    [`/system.slice/docker-${OTHER}.scope`, outermost.owner],
    [`/machine.slice/libpod-${OTHER}.scope`, outermost.owner],
    [`/libpod_parent/libpod-${OTHER}`, outermost.owner],
    [`/system.slice/containerd.service/default/${OTHER}`, outermost.owner],
    [`/ecs/f9b3c1d2e4a5968778695a4b3c2d1e0f/${OTHER}`, outermost.owner],
    ['/lxc.payload.web-1', 'container/web-1'],
    ['/lxc/web-1', 'container/web-1'],
    [`/kubepods/burstable/pod${STATIC}/${OTHER}`, `pod/${STATIC}/${OTHER.slice(0, 12)}`],
    [
      `/kubepods.slice/kubepods-pod${STATIC}.slice/crio-${OTHER}.scope`,
      `pod/${STATIC}/${OTHER.slice(0, 12)}`,
    ],
    [
      `/../../kubepods-besteffort-pod${STATIC}.slice/cri-containerd-${OTHER}.scope`,
      `pod/${STATIC}/${OTHER.slice(0, 12)}`,
    ],
    ['/machine.slice/machine-debian.scope', 'machine-debian.scope'],
  ];
  const name = fc.oneof(
    fc.constantFrom(
      ...[
        'system.slice',
        'user.slice',
        'user-1000.slice',
        'user@1000.service',
        'kubepods',
        'burstable',
        'kubelet',
      ],
      ...[
        'docker',
        'default',
        'lxc',
        'lxc.payload',
        'lxc.payload.a',
        'libpod_parent',
        'ecs',
        'containerd.service',
      ],
      ...[
        ID,
        `pod${UID}`,
        `kubepods-pod${UID_}.slice`,
        `docker-${ID}.scope`,
        `libpod-${ID}`,
        'nginx.service',
      ],
      ...[
        `kubepods-pod${UID_}.slice:cri-containerd:${ID}`,
        `libpod-payload-${ID}`,
        'init.scope',
        '..',
        '...',
      ],
    ),
    fc.string({ unit: 'binary', minLength: 1 }).map((text) => text.replaceAll(/[/\n\0]/g, '-')),
  );

  it('keeps its name, whatever it makes below', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TENANTS), fc.array(name, { maxLength: 6 }), ([path, owner], names) => {
        expect(ownerOf([path, ...names].join('/'))).toEqual({ ...ownerOf(path), owner });
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    [USER, 'user@1000.service'],
    ['/srv', '/srv'],
    ['/srv.slice/plain', '/srv.slice/plain'],
  ])('in %s names nothing but what is its own', (path, prefix) => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 6 }), (names) => {
        const { owner, ...ids } = ownerOf([path, ...names].join('/'));
        expect(ids).toEqual({});
        expect(owner === prefix || owner.startsWith(`${prefix}/`)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('as a user is no pod or container', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 6 }), (names) => {
        const { owner, ...ids } = ownerOf(['/user.slice/user-1000.slice', ...names].join('/'));
        expect(ids).toEqual({});
        expect(owner).not.toMatch(/^(?:pod|container)\//);
      }),
      { numRuns: 1000 },
    );
  });
});

it('is printable, bounded and never empty, whatever the path', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'system.slice',
      'user@1000.service',
      'kubepods',
      `pod${UID}`,
      ID,
      'lxc',
      'init.scope',
      'a.service',
    ),
    fc.constantFrom(
      '',
      ':',
      '.slice',
      `kubepods-pod${UID_}.slice`,
      `libpod-payload-${ID}`,
      'lxc.payload.',
      '_.service',
    ),
    fc.string({ unit: 'binary' }),
    fc.string().map((name) => `lxc.payload.${name}`),
    fc.string().map((name) => `${name}.service`),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      for (const path of [`/${parts.join('/')}`, parts.join('')]) {
        const values: (string | undefined)[] = Object.values(ownerOf(path));
        for (const value of values) expect(value).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]{1,600}$/u);
      }
    }),
    { numRuns: 1000 },
  );
});

it('needs no time for a segment of any length', () => {
  const took = cpuMs(() => {
    for (const part of ['a-', 'kubepods-', '.', '_', ':', 'pod', '0']) ownerOf(`/${part.repeat(100_000)}`);
  });
  expect(took).toBeLessThan(1000);
});
