/** Files, commands and the network wall. */
import type { GuardedFile } from "../guard.ts";
import { TOOLS } from "../rooms.ts";

export const WORKSPACE_GUARDS: readonly GuardedFile[] = [
  {
    file: `${TOOLS}/workspace/network-wall.node.ts`,
    guards: [
      {
        id: "wall W1 network",
        text: `"--unshare-net --unshare-pid`,
        instead: `"--unshare-pid`,
        test: [`${TOOLS}/workspace/network-wall.test.ts`, "W1: the listener hears nothing from %s"],
      },
      {
        id: "wall W1 processes",
        text: `"--unshare-net --unshare-pid`,
        instead: `"--unshare-net`,
        test: [`${TOOLS}/workspace/network-wall.test.ts`, "W1: no process outside is visible"],
      },
      {
        id: "wall W1 unshare",
        text: "--user --map-root-user --net --pid",
        instead: "--user --map-root-user --pid",
        test: [`${TOOLS}/workspace/network-wall.test.ts`, "the wall of $name alone holds too"],
      },
      {
        id: "wall W2",
        text: "--dev-bind / / --proc /proc --tmpfs /run ",
        instead: "--dev-bind / / --proc /proc ",
        test: [`${TOOLS}/workspace/network-wall.test.ts`, "W2: a daemon's socket in /run is not there"],
      },
      {
        id: "wall W2 unshare",
        text: "mount -t tmpfs none /run && exec",
        instead: "exec",
        test: [`${TOOLS}/workspace/network-wall.test.ts`, "the wall of $name alone holds too"],
      },
      {
        id: "wall W3",
        text: `if (await succeeds(wall.around(["true"], "/"))) return wall;`,
        instead: "return wall;",
        test: [`${TOOLS}/workspace/network-wall.test.ts`, "W3: where no wall works there is none"],
      },
    ],
  },
  {
    file: `${TOOLS}/workspace/node-run.node.ts`,
    guards: [
      {
        id: "commands N1",
        text: "setTimeout(() => setImmediate(resolve), DRAIN_MS)",
        instead: "setTimeout(resolve, 60_000)",
        test: [`${TOOLS}/workspace/node-workspace.test.ts`, "N1: does not wait for a child that keeps the pipes open"],
      },
      {
        id: "commands N2 marked",
        text: "if (stopped !== null) await killMarked(marker); // N2",
        instead: "if (stopped !== null) void marker;",
        test: [
          `${TOOLS}/workspace/node-workspace.test.ts`,
          "R2: a timeout kills the tree, also those who left the process group",
        ],
      },
      {
        id: "commands N2 group",
        text: "killQuietly(-child.pid);",
        instead: "killQuietly(child.pid);",
        test: [
          `${TOOLS}/workspace/node-workspace.test.ts`,
          "N2: a timeout kills the group, also those in it who have thrown their environment away",
        ],
      },
      {
        id: "commands not started",
        text: `if (command.signal?.aborted) return { kind: "killed", by: "cancel", output: "" };`,
        instead: "",
        test: [
          `${TOOLS}/workspace/node-workspace.test.ts`,
          "R2: an abort kills the tree; a run that was aborted before does not start",
        ],
      },
    ],
  },
  {
    file: `${TOOLS}/workspace/node-workspace.node.ts`,
    guards: [
      {
        id: "workspace R1",
        text: 'if (spot === null) return refuse("outside", `${path} is outside the workspace ${root}`);',
        instead: "if (spot === null) return act(path);",
        test: [
          `${TOOLS}/workspace/node-workspace.test.ts`,
          "R1: a link that leads out is refused for every door; one that stays inside is followed",
        ],
      },
      {
        id: "workspace R2 closing",
        text: "[Symbol.asyncDispose]: () => killMarked(options.marker),",
        instead: "[Symbol.asyncDispose]: async () => {},",
        test: [
          `${TOOLS}/workspace/node-workspace.test.ts`,
          "R2: closing the workspace ends what earlier commands left behind",
        ],
      },
      {
        id: "workspace B2 final link",
        text: "constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK",
        instead: "constants.O_RDONLY | constants.O_NONBLOCK",
        test: [
          `${TOOLS}/workspace/beneath.test.ts`,
          "B2: while a file is swapped with a link that leads out, nothing outside is read or written",
        ],
      },
      {
        id: "workspace pipes",
        text: "constants.O_NOFOLLOW | constants.O_NONBLOCK",
        instead: "constants.O_NOFOLLOW",
        test: [`${TOOLS}/workspace/node-workspace.test.ts`, "reading a named pipe answers at once"],
      },
      {
        id: "workspace wall",
        text: `if (!wall) return { kind: "not-started", message: NO_WALL };`,
        instead: "if (!wall) return runCommand(command, { ...options, cwd: cwd.value });",
        test: [
          `${TOOLS}/workspace/network-wall.test.ts`,
          "W3: a workspace without network on a machine that has no wall starts nothing, and says what is missing",
        ],
      },
      {
        id: "workspace file limit",
        text: "if (stat.size > maxBytes)",
        instead: "if (false)",
        test: [`${TOOLS}/workspace/node-workspace.test.ts`, "says what is missing, too large, a folder, a file"],
      },
    ],
  },
  {
    file: `${TOOLS}/workspace/beneath.node.ts`,
    guards: [
      {
        id: "beneath B1 up",
        text: "if (this.#at.length === 0) return false;",
        instead: "if (this.#at.length === 0) return true;",
        test: [
          `${TOOLS}/workspace/beneath.test.ts`,
          "B1: links are walked step by step: relative, absolute, upward and through each other, as long as they stay inside",
        ],
      },
      {
        id: "beneath B1 absolute link",
        text: `if (inner === null) return null;
    await`,
        instead: `if (inner === null) return [];
    await`,
        test: [
          `${TOOLS}/workspace/node-workspace.test.ts`,
          "R1: a link that leads out is refused for every door; one that stays inside is followed",
        ],
      },
      {
        id: "beneath B1 links",
        text: "if ((this.#links += 1) > MAX_LINKS)",
        instead: "if (false)",
        test: [
          `${TOOLS}/workspace/beneath.test.ts`,
          "B1: links are walked step by step: relative, absolute, upward and through each other, as long as they stay inside",
        ],
      },
      {
        id: "beneath B2",
        text: "constants.O_DIRECTORY | constants.O_NOFOLLOW;",
        instead: "constants.O_DIRECTORY;",
        test: [
          `${TOOLS}/workspace/beneath.test.ts`,
          "B2: while a folder is swapped with a link that leads out, nothing outside is read or written",
        ],
      },
      {
        id: "beneath descriptors",
        text: `    await before?.close();
`,
        instead: "",
        test: [`${TOOLS}/workspace/beneath.test.ts`, "no descriptor is left open, whatever the answer was"],
      },
    ],
  },
];
