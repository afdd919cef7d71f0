import type { OperatorOutput } from "@smooth/protocol/operator";
import { expect, test } from "vitest";
import { openOperatorLine } from "./operator-line.ts";

async function read(...chunks: (string | Uint8Array)[]): Promise<{ outputs: OperatorOutput[]; dropped: string[] }> {
  const dropped: string[] = [];
  async function* stdout(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
  }
  const line = openOperatorLine({ write: () => undefined, stdout: stdout() }, (reason) => dropped.push(reason));
  const outputs: OperatorOutput[] = [];
  for await (const output of line.outputs) outputs.push(output);
  return { outputs, dropped };
}

test("messages arrive whole however the bytes are cut", async () => {
  const text = `{"type":"ready"}\n{"type":"delta","partId":"p","text":"héé"}\n`;
  const bytes = new TextEncoder().encode(text);

  const { outputs } = await read(...[...bytes].map((byte) => Uint8Array.of(byte)));

  expect(outputs).toEqual([{ type: "ready" }, { type: "delta", partId: "p", text: "héé" }]);
});

test("garbage, unknown messages and endless lines are dropped; what follows still arrives", async () => {
  const endless = "x".repeat(5 * 1024 * 1024);

  const { outputs, dropped } = await read(
    "not json\n",
    `{"type":"root-me"}\n`,
    Uint8Array.of(0xff, 0xfe, 0x0a),
    endless,
    endless,
    `\n{"type":"ready"}\n`,
  );

  expect(outputs).toEqual([{ type: "ready" }]);
  expect(dropped).toHaveLength(4);
});

test("a guest that only talks garbage loses the line", async () => {
  await expect(read("x\n".repeat(60))).rejects.toMatchObject({ code: "SANDBOX_FAILED" });
});
