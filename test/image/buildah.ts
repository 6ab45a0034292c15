import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `buildah inspect` says of an image, as far as it is looked at. */
export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Labels: Readonly<Record<string, string>>;
}

/**
 * Debian's buildah with its images in a directory of the caller's: no daemon, no registry. What it keeps is a cache of
 * digests in /var/lib/containers/cache, which cannot be had elsewhere.
 */
export class Buildah {
  readonly #flags: readonly string[];
  readonly #registries: string;

  constructor(directory: string) {
    const [root, runroot] = [join(directory, 'storage'), join(directory, 'run')];
    this.#flags = ['--root', root, '--runroot', runroot, '--storage-driver', 'vfs'];
    this.#registries = join(directory, 'registries.conf');
    writeFileSync(this.#registries, 'unqualified-search-registries = ["docker.io"]\n');
  }

  /** Runs a Dockerfile's own steps; its bases must be there. */
  build(context: string, dockerfile: string, tag: string, buildArguments: readonly string[]): void {
    const given = buildArguments.flatMap((argument) => ['--build-arg', argument]);
    this.#run(
      ['bud', '--pull-never', '--isolation', 'chroot', ...given, '--file', dockerfile, '--tag', tag, context],
      'inherit',
    );
  }

  /** An image of one layer. */
  importDirectory(directory: string, tag: string, config: readonly string[]): void {
    const container = this.#run(['from', 'scratch']);
    this.#run(['copy', container, directory, '/']);
    if (config.length > 0) this.#run(['config', ...config, container]);
    this.#run(['commit', '--rm', container, tag]);
  }

  config(tag: string): ImageConfig {
    return JSON.parse(this.#run(['inspect', '--type', 'image', tag])).OCIv1.config;
  }

  /** → where its files are. */
  mount(tag: string): string {
    return this.#run(['mount', this.#run(['from', '--pull-never', tag])]);
  }

  #run(args: readonly string[], stdout: 'pipe' | 'inherit' = 'pipe'): string {
    const printed = execFileSync('buildah', [...this.#flags, ...args], {
      encoding: 'utf8',
      env: { ...process.env, CONTAINERS_REGISTRIES_CONF: this.#registries },
      stdio: ['ignore', stdout, 'inherit'],
      maxBuffer: 64 * 1024 * 1024,
    });
    return printed?.trim() ?? '';
  }
}
