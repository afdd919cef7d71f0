import { JAIL_IMAGE, JAIL_RUN } from "./argv.ts";

/** QEMU gives no security guarantee for emulation, so QEMU itself is locked up.
 *  J1. In the jail: no network, no other process, no capability, a read-only view of QEMU's own files and the image, and one
 *      writable folder that holds three sockets.
 *  J2. It dies with the host process, also when that one is killed without a chance to clean up. */

export type Jail =
  | { readonly kind: "bwrap"; readonly program: string }
  | { readonly kind: "setpriv"; readonly program: string; readonly asRoot: boolean };

export interface Jailed {
  readonly runDir: string;
  readonly imageDir: string;
  /** Extra device nodes, such as /dev/kvm. */
  readonly devices: readonly string[];
}

export function jailPrefix(jail: Jail, { runDir, imageDir, devices }: Jailed): string[] {
  if (jail.kind === "setpriv") {
    const capabilities = jail.asRoot ? ["--bounding-set", "-all", "--inh-caps", "-all"] : [];
    return [jail.program, "--pdeathsig", "KILL", "--no-new-privs", ...capabilities, "--"];
  }
  return [
    [jail.program, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"],
    ["--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin"],
    ["--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"],
    ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--dev", "/dev", "--tmpfs", "/tmp"],
    devices.flatMap((path) => ["--dev-bind", path, path]),
    ["--ro-bind", imageDir, JAIL_IMAGE, "--bind", runDir, JAIL_RUN, "--chdir", "/", "--"],
  ].flat();
}

/** Where QEMU finds the two folders: inside a mount jail always at the same place. */
export function jailView(jail: Jail, { runDir, imageDir }: Jailed): { runDir: string; imageDir: string } {
  return jail.kind === "bwrap" ? { runDir: JAIL_RUN, imageDir: JAIL_IMAGE } : { runDir, imageDir };
}
