import { expect, test } from "vitest";
import { argvOf } from "./argv.ts";

test.each([
  ["npm test", ["npm", "test"]],
  [`sh -c 'echo "a" | wc'`, ["sh", "-c", 'echo "a" | wc']],
  [`say "it \\"is\\"" a\\ b ''`, ["say", 'it "is"', "a b", ""]],
  ["  a\tb\n", ["a", "b"]],
])("%s is a program and its arguments", (command, argv) => {
  expect(argvOf(command)).toEqual({ argv });
});

test.each([
  ["a | b", "needs a shell"],
  ["echo $HOME", "needs a shell"],
  ["ls *.ts", "needs a shell"],
  ["say 'it", "not closed"],
  [`say "it`, "not closed"],
  ["  ", "no program"],
])("%s is refused", (command, says) => {
  expect(argvOf(command)).toMatchObject({ problem: expect.stringContaining(says) });
});
