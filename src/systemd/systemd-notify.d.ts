// systemd-notify 1.0.0 comes without types.
declare module 'systemd-notify' {
  /**
   * Runs the command systemd-notify with `--pid` (this process's where none is given). Rejects with an Error where it
   * cannot be started, and with the text it wrote, which may be empty, where it ended with another code than 0.
   */
  function notify(message: {
    readonly ready?: boolean;
    readonly status?: string;
    readonly pid?: number;
  }): Promise<unknown>;
  export = notify;
}
