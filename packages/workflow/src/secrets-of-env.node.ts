/** What `runWorkflow` keeps out of its log of tool calls when it is told nothing else: the values of environment variables whose
 *  names speak of secrets. A host knows its secrets and says them itself.
 *  E1. Short values are left alone: they are words like any other. */

const SECRET_NAME =
  /(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH)(?:_|$)|APIKEY|(?:^|_)DATABASE_URL$/i;
const SHORTEST = 8;

export function hideSecretsOf(env: Readonly<Record<string, string | undefined>>): (text: string) => string {
  const secrets = Object.entries(env)
    .flatMap(([name, value = ""]) => (SECRET_NAME.test(name) && value.length >= SHORTEST ? [{ name, value }] : []))
    .toSorted((a, b) => b.value.length - a.value.length); // one may hold another
  return (text) =>
    secrets.reduce((left, { name, value }) => {
      const mark = `[redacted:${name}]`;
      const inJson = JSON.stringify(value).slice(1, -1); // logs are JSON
      return left.replaceAll(value, mark).replaceAll(inJson, mark);
    }, text);
}
