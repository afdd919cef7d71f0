/** A store whose large payloads lie in a blob store; rows hold their SHA-256. Nobody above it sees a difference.
 *  B1. A blob is durable before the row that refers to it is written. A refused write leaves a blob that nothing refers to; a sweep takes it.
 *  B2. A reference cannot be taken for a payload: in cells it is bytes, which no payload is; a heartbeat that looks like one is put away itself. */
import type { Blobs } from "@smooth/platform/ports";
import type { JsonValue } from "../outputs/json.ts";
import type { Batch, Heartbeat, OutputCells, RunStore } from "../store/port.ts";
import { fromHex, REF, blobOf, toHex } from "./ref.ts";
import type { NewFork } from "../store/travel-port.ts";

/** In characters: what is shorter stays in its row. */
const LARGE = 64 * 1_024;

export function withBlobs(store: RunStore, blobs: Blobs): RunStore {
  const own: Partial<RunStore> = {
    commit: (batch) => (isSmall(batch) ? store.commit(batch) : putAway(blobs, batch).then((put) => store.commit(put))),
    fork: async (fork: NewFork) =>
      await store.fork({ ...fork, outputs: await Promise.all(fork.outputs.map((output) => putOutput(blobs, output))) }),
    outputs: async (runId, table) =>
      await Promise.all((await store.outputs(runId, table)).map((output) => fetchOutput(blobs, output))),
    heartbeats: async (runId) =>
      await Promise.all((await store.heartbeats(runId)).map((beat) => fetchBeat(blobs, beat))),
  };
  return new Proxy(store, {
    get(target, name: keyof RunStore) {
      const member = own[name] ?? target[name];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** The ordinary batch goes straight through, so that it shares the transaction of its tick. */
const isSmall = ({ outputs, successor, heartbeats }: Batch): boolean =>
  [...outputs, ...(successor?.outputs ?? [])].every(({ cells }) => !cells.some(isLarge)) &&
  heartbeats.every(({ payload }) => !isLargeBeat(payload));

const isLarge = (cell: unknown): cell is string => typeof cell === "string" && cell.length > LARGE;
const isLargeBeat = (payload: JsonValue): boolean => blobOf(payload) !== null || JSON.stringify(payload).length > LARGE;

async function putAway(blobs: Blobs, batch: Batch): Promise<Batch> {
  const outputs = await Promise.all(batch.outputs.map((output) => putOutput(blobs, output)));
  const heartbeats = await Promise.all(batch.heartbeats.map((beat) => putBeat(blobs, beat)));
  const { successor } = batch;
  if (!successor) return { ...batch, outputs, heartbeats };
  const carried = await Promise.all(successor.outputs.map((output) => putOutput(blobs, output)));
  return { ...batch, outputs, heartbeats, successor: { ...successor, outputs: carried } };
}

/** B1, B2 */
async function putOutput(blobs: Blobs, output: OutputCells): Promise<OutputCells> {
  const cells = output.cells.map(async (cell) => (isLarge(cell) ? fromHex(await putText(blobs, cell)) : cell));
  return { ...output, cells: await Promise.all(cells) };
}

async function fetchOutput(blobs: Blobs, output: OutputCells): Promise<OutputCells> {
  if (!output.cells.some((cell) => cell instanceof Uint8Array)) return output;
  const cells = output.cells.map(async (cell) =>
    cell instanceof Uint8Array ? await textOf(blobs, toHex(cell)) : cell,
  );
  return { ...output, cells: await Promise.all(cells) };
}

async function putBeat(blobs: Blobs, beat: Heartbeat): Promise<Heartbeat> {
  if (!isLargeBeat(beat.payload)) return beat;
  return { ...beat, payload: { [REF]: await putText(blobs, JSON.stringify(beat.payload)) } };
}

async function fetchBeat(blobs: Blobs, beat: Heartbeat): Promise<Heartbeat> {
  const sha256 = blobOf(beat.payload);
  return sha256 === null ? beat : { ...beat, payload: JSON.parse(await textOf(blobs, sha256)) as JsonValue };
}

const putText = async (blobs: Blobs, text: string): Promise<string> => await blobs.put(new TextEncoder().encode(text));
const textOf = async (blobs: Blobs, sha256: string): Promise<string> =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(await blobs.get(sha256));
