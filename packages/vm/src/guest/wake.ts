import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { AgentRequest, AgentResult } from "../channel/messages.ts";

/** A restored clone has its twin's random state and an old clock.
 *  K1. Before any exec after a restore: fresh entropy is mixed in and the generator reseeded from it, the clock is set, the
 *      name and machine id are the clone's own. When that fails, the host does not use the clone.
 *  Node has no ioctl, so a perl helper is started just before a snapshot and waits inside it: waking costs no process start. */

const HELPER = `
my ($settime, $sethostname) = map { 0 + $_ } @ARGV;
my ($hex, $sec, $nsec, $name, $id) = split " ", <STDIN>;
open(my $rng, "+<", "/dev/urandom") or die "urandom: $!"; syswrite($rng, pack("H*", $hex)) or die "write: $!";
ioctl($rng, 0x5207, 0) or die "reseed: $!";
syscall($settime, 0, pack("qq", $sec, $nsec)) == 0 or die "clock: $!";
syscall($sethostname, $name, length $name) == 0 or die "hostname: $!";
sub put { open(my $file, ">", $_[0]) or die "$_[0]: $!"; print $file "$_[1]\\n" }
put("/etc/hostname", $name); put("/etc/machine-id", $id); put("/etc/hosts", "127.0.0.1 localhost $name");`;

type Helper = ChildProcessByStdio<Writable, null, null>;

export interface Waker {
  /** Starts the helper, right before a snapshot. */
  arm(): void;
  wake(request: Extract<AgentRequest, { op: "wake" }>): Promise<AgentResult>;
}

export function prepareWaker(): Waker {
  const syscalls = process.arch === "arm64" ? ["112", "161"] : ["227", "170"];
  const start = (): Helper => {
    const child = spawn("perl", ["-e", HELPER, ...syscalls], { stdio: ["pipe", "inherit", "inherit"] });
    child.stdin.on("error", () => {});
    return child;
  };
  let armed: Helper | null = null;
  return {
    arm: () => void (armed ??= start()),
    async wake({ entropyHex, wallMs, hostname, machineId }) {
      const used = armed ?? start();
      armed = null;
      const code = new Promise<number | null>((resolve) => used.once("exit", resolve));
      const time = `${Math.floor(wallMs / 1000)} ${(wallMs % 1000) * 1_000_000}`;
      used.stdin.end(`${entropyHex} ${time} ${hostname} ${machineId}\n`);
      if ((await code) !== 0) return { kind: "failed", code: "WAKE", message: "the wake helper failed" };
      return { kind: "done" };
    },
  };
}
