/** Frames and blobs. */
import type { GuardedFile } from "../guard.ts";
import { WORKFLOW, ENGINE, PLATFORM } from "../rooms.ts";

export const FRAMES_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/blobs/with-blobs.ts`,
    guards: [
      {
        id: "blobs B2",
        text: "blobOf(payload) !== null || ",
        instead: "",
        test: [
          `${ENGINE}/blobs/with-blobs.test.ts`,
          "B2: a large heartbeat, and one that looks like a reference, come back as they were",
        ],
      },
      {
        id: "blobs large cells",
        text: `typeof cell === "string" && cell.length > LARGE`,
        instead: "false",
        test: [
          `${ENGINE}/blobs/with-blobs.test.ts`,
          "a large cell lies in the blob store, its row holds 32 bytes, and it comes back exactly",
        ],
      },
      {
        id: "blobs B1",
        text: "putAway(blobs, batch).then((put) => store.commit(put))",
        instead: "store.commit(batch)",
        test: [
          `${ENGINE}/blobs/with-blobs.test.ts`,
          "B1: every reference is told, so that a sweep takes only what no row needs",
        ],
      },
    ],
  },
  {
    file: `${PLATFORM}/node/blobs.node.ts`,
    guards: [
      {
        id: "blobs B1 young",
        text: " && putAtMs < putBeforeMs",
        instead: "",
        test: [
          `${PLATFORM}/node/blobs.test.ts`,
          "a damaged blob is refused, and one that is put again counts as new for a sweep",
        ],
      },
      {
        id: "blobs damaged",
        text: "if (hashOf(bytes) !== sha256)",
        instead: "if (false)",
        test: [
          `${PLATFORM}/node/blobs.test.ts`,
          "a damaged blob is refused, and one that is put again counts as new for a sweep",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/frames/frame-log.ts`,
    guards: [
      {
        id: "frames V4 first",
        text: "const offset = this.#firstRow ? events : Math.max(1, events);",
        instead: "const offset = events;",
        test: [
          `${ENGINE}/frames/tree.test.ts`,
          "V4: the first tree stands before the commit's events, a later one behind the events that led to it",
        ],
      },
      {
        id: "frames V4 place",
        text: "this.#rendered.push({ offset, plan });",
        instead: "this.#rendered.push({ offset: 1, plan });",
        test: [
          `${ENGINE}/frames/tree.test.ts`,
          "V4: the first tree stands before the commit's events, a later one behind the events that led to it",
        ],
      },
      {
        id: "frames V6 full",
        text: "const full = weight > tree.size; // V6",
        instead: "const full = true;",
        test: [
          `${ENGINE}/frames/tree.test.ts`,
          "V6: a chain that grows step by step is stored in linear space, and any frame is read in the size of its tree",
        ],
      },
      {
        id: "frames V6 never full",
        text: "const full = weight > tree.size; // V6",
        instead: "const full = isFirst;",
        test: [
          `${ENGINE}/frames/tree.test.ts`,
          "V6: a small tree that changes for ever is read in the size of the tree, not of its past",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/frames/tree.ts`,
    guards: [
      {
        id: "frames V1 gone",
        text: "for (const id of gone) next.delete(id);",
        instead: "",
        test: [`${ENGINE}/frames/tree.test.ts`, "seed %i"],
      },
      {
        id: "frames V1 siblings",
        text: "a[2] === b[2] && ",
        instead: "",
        test: [`${ENGINE}/frames/tree.test.ts`, "seed %i"],
      },
      {
        id: "frames V2",
        text: "if (old && same(old, next)) continue;",
        instead: "",
        test: [
          `${ENGINE}/frames/tree.test.ts`,
          "V2: inserting, removing or moving one of 1,000 tasks touches at most three nodes",
        ],
      },
      {
        id: "frames V5",
        text: "return changed + gone.length === 0 ? null : ",
        instead: "return ",
        test: [`${ENGINE}/frames/tree.test.ts`, "V5: frames with the same tree write no row"],
      },
    ],
  },
  {
    file: `${ENGINE}/frames/frame.ts`,
    guards: [
      {
        id: "frames V3",
        text: "for (const event of events) applyEvent(state, event);",
        instead: "",
        test: [
          `${WORKFLOW}/frames.test.tsx`,
          "frame 1 shows the whole first tree pending, and every later frame what was known after its event",
        ],
      },
    ],
  },
];
