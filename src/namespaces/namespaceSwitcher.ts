import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { ExporterError, errorLine, failureText, KernelError } from '../base/errors.ts';
import { isRefused, isShortage } from '../base/ifReadable.ts';
import { holds, whyDenied } from '../kernel/capabilities.ts';
import { CLONE_NEWNET, type Libc } from '../kernel/libc.ts';
import type { FoundNamespace } from './found.ts';

/** A namespace that was there a moment ago. */
export class NamespaceGone extends ExporterError {
  override readonly name = 'NamespaceGone';
}

/** What is mounted there is a namespace, and not one of networks. */
export class OtherKind extends ExporterError {
  override readonly name = 'OtherKind';
}

/**
 * Brings the calling thread into other network namespaces and back. setns(2) is per thread, and everything done inside
 * must be synchronous: libuv's threads stay behind.
 */
export class NamespaceSwitcher {
  readonly #libc: Libc;
  readonly #home: number;

  /** Throws an ExporterError where this thread may not enter namespaces: CAP_SYS_ADMIN is missing. */
  constructor(libc: Libc, procfs: string) {
    this.#libc = libc;
    this.#home = openNamespace(ownPath(procfs));
    try {
      // To enter the namespace one is in takes the same privilege.
      libc.setns(this.#home, CLONE_NEWNET);
    } catch (error) {
      closeSync(this.#home);
      throw error;
    }
  }

  /**
   * Runs `act` inside of the namespace and returns, whatever happens. Throws NamespaceGone where it has vanished from
   * its path, OtherKind where it is no network namespace, an ExporterError where it cannot be entered, and what `act`
   * throws.
   */
  run<T>({ path, inode }: Pick<FoundNamespace, 'path' | 'inode'>, act: () => T): T {
    const fd = openNamespace(path);
    try {
      // The process, or the name, may be another's by now.
      expectNamespace(fd, path, inode);
      this.#enter(fd, path);
      try {
        return act();
      } finally {
        this.#return();
      }
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    closeSync(this.#home);
  }

  #enter(fd: number, path: string): void {
    try {
      this.#libc.setns(fd, CLONE_NEWNET);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      // setns(2): the descriptor's namespace is not of the type asked for.
      const Refusal = error.code === 'EINVAL' ? OtherKind : ExporterError;
      throw new Refusal(`entering ${path}`, { cause: error });
    }
  }

  /** A thread that cannot go home would call everything it sees by the wrong name: it must not go on. */
  #return(): void {
    try {
      this.#libc.setns(this.#home, CLONE_NEWNET);
    } catch (error) {
      throw new Error(`returning to the own network namespace: ${errorLine(error)}`);
    }
  }
}

/**
 * Brings the calling thread into the namespace for good. Throws NamespaceGone where it has vanished from its path, and an
 * ExporterError where it cannot be entered.
 */
export function enterForGood(libc: Libc, { path, inode }: Pick<FoundNamespace, 'path' | 'inode'>): void {
  const fd = openNamespace(path);
  try {
    expectNamespace(fd, path, inode);
    libc.setns(fd, CLONE_NEWNET);
  } finally {
    closeSync(fd);
  }
}

/** For a person: why a namespace could not be entered. What is missing, where it is a privilege. */
export function whyNotEntered(error: ExporterError, status?: string): string {
  return isRefused(error) ? `${whyDenied(['CAP_SYS_ADMIN'], status)}: ${errorLine(error)}` : errorLine(error);
}

/** Why no other namespace can be entered: whoever lacks the privilege is told at once what it takes to find them. */
export function whyNoneIsEntered(error: ExporterError, status?: string): string {
  const isAdmin = holds('CAP_SYS_ADMIN', status);
  if (!isRefused(error) || isAdmin || holds('CAP_SYS_PTRACE', status)) return whyNotEntered(error, status);
  return `needs CAP_SYS_ADMIN, and CAP_SYS_PTRACE to find them: ${errorLine(error)}`;
}

function ownPath(procfs: string): string {
  return join(procfs, 'thread-self/ns/net');
}

/** Privilege, or a shortage here, keeps a namespace from being opened that is there. Any other errno is the path's. */
function openNamespace(path: string): number {
  try {
    // What is a named pipe by now is opened without waiting for somebody who writes to it.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isShortage(error)) throw new ExporterError(`open() of ${path}`, { cause: error });
    if (isRefused(error)) throw new ExporterError(`open() of ${path}: ${failureText(error)}`);
    throw new NamespaceGone(`open() of ${path}: ${failureText(error)}`);
  }
}

function expectNamespace(fd: number, path: string, inode: number): void {
  let opened: number;
  try {
    opened = fstatSync(fd).ino;
  } catch (error) {
    throw new ExporterError(`fstat() of ${path}: ${failureText(error)}`);
  }
  if (opened !== inode) throw new NamespaceGone(`${path} is not net:[${inode}] any more`);
}
