/** A profile as container engines keep it: one for all capabilities and architectures. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly archMap?: readonly {
    readonly architecture: string;
    readonly subArchitectures?: readonly string[];
  }[];
  readonly syscalls: readonly (Rule & { readonly includes?: Conditions; readonly excludes?: Conditions })[];
}

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly unknown[] | null;
  readonly errnoRet?: number;
}

interface Conditions {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
}

const ARCHITECTURES: Readonly<Record<string, readonly [engines: string, kernel: string]>> = {
  x64: ['amd64', 'SCMP_ARCH_X86_64'],
  arm64: ['arm64', 'SCMP_ARCH_AARCH64'],
};

/** What an OCI runtime is given of a profile: the rules that hold with these capabilities on this architecture. */
export function seccompFor(profile: SeccompProfile, capabilities: readonly string[], arch: string): unknown {
  const [engines = '', kernel = ''] = ARCHITECTURES[arch] ?? [];
  const { subArchitectures = [] } =
    profile.archMap?.find(({ architecture }) => architecture === kernel) ?? {};
  const holds = ({ includes, excludes }: (typeof profile.syscalls)[number]) =>
    (includes?.arches?.includes(engines) ?? true) &&
    (includes?.caps?.every((capability) => capabilities.includes(capability)) ?? true) &&
    !excludes?.arches?.includes(engines) &&
    !excludes?.caps?.some((capability) => capabilities.includes(capability));
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: [kernel, ...subArchitectures],
    syscalls: profile.syscalls.filter(holds).map(({ names, action, args, errnoRet }) => ({
      names,
      action,
      errnoRet,
      args: args ?? [],
    })),
  };
}
