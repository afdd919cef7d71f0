/** A command as its program and arguments. There is no shell: what only a shell understands is refused, not passed on as text. */

export type Argv = { readonly argv: readonly string[] } | { readonly problem: string };

/** One word, in pieces: bare, 'as it is', "with \" and \\". */
const PIECE = /\s+|'([^']*)'|"((?:[^"\\]|\\["\\])*)"|\\(.)|([^\s'"\\]+)/gsy;
const SHELL = /[|&;<>()$`*?~{}[\]!#]/;

export function argvOf(command: string): Argv {
  const argv: string[] = [];
  let word: string | null = null;
  let end = 0;
  for (const match of command.matchAll(PIECE)) {
    const [text, single, double, escaped, bare] = match;
    end = match.index + text.length;
    if (/^\s+$/.test(text)) {
      if (word !== null) argv.push(word);
      word = null;
      continue;
    }
    if (bare !== undefined && SHELL.test(bare))
      return { problem: `${JSON.stringify(bare)} needs a shell; quote it, or run \`sh -c '…'\`` };
    word = `${word ?? ""}${single ?? double?.replaceAll(/\\(["\\])/g, "$1") ?? escaped ?? bare ?? ""}`;
  }
  if (end < command.length)
    return { problem: `a quote is not closed at ${JSON.stringify(command.slice(end, end + 20))}` };
  if (word !== null) argv.push(word);
  return argv.length > 0 ? { argv } : { problem: "it names no program" };
}
