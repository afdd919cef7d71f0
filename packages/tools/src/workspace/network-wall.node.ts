/** Runs commands where there is no network: a namespace of its own, by bubblewrap or unshare. Not a list of words.
 *  W1. No interface but an empty loopback; no process outside is visible, so none of their namespaces can be entered.
 *  W2. /run is empty there: the sockets of daemons (containers, agents, buses) are another way out. Sockets elsewhere in the
 *      file system stay reachable.
 *  W3. Where neither program works, there is no wall, and the caller must refuse. */
import { spawn } from "node:child_process";
import process from "node:process";

export type Argv = readonly [string, ...string[]];
export interface NetworkWall {
  readonly name: "bubblewrap" | "unshare";
  around(argv: Argv, folder: string): Argv;
}

const words = (text: string): string[] => text.split(" ");
const FILE_POWERS = ["CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN"].flatMap((power) => ["--cap-add", power]);

const bubblewrap: NetworkWall = {
  name: "bubblewrap",
  around: (argv, folder) => {
    const places = "--dev-bind / / --proc /proc --tmpfs /run --ro-bind-try /run/current-system /run/current-system";
    const walls = "--unshare-net --unshare-pid --die-with-parent --cap-drop ALL";
    const kept = folder.startsWith("/run/") ? ["--bind", folder, folder] : [];
    // Root keeps what it needs to work on files that belong to others.
    const powers = process.getuid?.() === 0 ? FILE_POWERS : [];
    return ["bwrap", ...words(places), ...kept, ...words(walls), ...powers, "--chdir", folder, "--", ...argv];
  },
};

const unshare: NetworkWall = {
  name: "unshare",
  around: (argv, folder) => {
    const walls = "--user --map-root-user --net --pid --fork --kill-child --mount-proc";
    const emptyRun = 'mount -t tmpfs none /run && exec "$@"';
    return ["unshare", ...words(walls), `--wd=${folder}`, "--", "sh", "-c", emptyRun, "sh", ...argv];
  },
};

export const WALLS: readonly NetworkWall[] = [bubblewrap, unshare];
let found: Promise<NetworkWall | null> | undefined;

/** The first that works on this machine; looked for once. null: none (W3). */
export const networkWall = (): Promise<NetworkWall | null> => (found ??= firstWorking(WALLS));

export async function firstWorking(walls: readonly NetworkWall[]): Promise<NetworkWall | null> {
  for (const wall of walls) if (await succeeds(wall.around(["true"], "/"))) return wall;
  return null;
}

function succeeds([program, ...args]: Argv): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: "ignore" });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}
