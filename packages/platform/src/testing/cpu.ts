/** What a body costs this process, however busy the computer is. */
export function cpuMs(body: () => unknown): number {
  const before = process.cpuUsage();
  body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
