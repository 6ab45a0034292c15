import notify from 'systemd-notify';

export interface Announcement {
  readonly ready?: boolean;
  readonly status: string;
}

/** Says something to the service manager through a command. Rejects where it fails. */
export type NotifyCommand = (announcement: Announcement) => Promise<void>;

export interface Announcing {
  readonly command: NotifyCommand;
  /** Whether what it says is heard as said by the process that serves. */
  readonly mayVouch: boolean;
}

/** The package systemd-notify, in the name of process `pid`: another than the own takes CAP_SYS_ADMIN (unix(7), SCM_CREDENTIALS). */
export async function notifyFor(pid: number, { ready = false, status }: Announcement): Promise<void> {
  await notify({ ready, status, pid });
}
