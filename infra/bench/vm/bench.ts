import { availableParallelism, loadavg } from "node:os";
import { bubblewrapDriver } from "@smooth/vm/bubblewrap";
import type { VmDriver } from "@smooth/vm/driver";
import { processDriver } from "@smooth/vm/process";
import { run } from "@smooth/vm/run";
import { sharedQemu } from "@smooth/vm/testing/qemu";
import { sharedKernelOptions } from "@smooth/vm/testing/shared-kernel";

/** `node infra/bench/vm/bench.ts [rounds] [driver…]`: start to first output, exec round trip, kill, memory, per driver:
 *  warm and cold (QEMU from a snapshot and from nothing), bubblewrap, process, checkpoint. All of them by default. */

const rounds = Number(process.argv[2] ?? 9);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const fromMs = performance.now();
  await work();
  return performance.now() - fromMs;
};

async function starts(driver: VmDriver, count: number): Promise<Record<string, number>> {
  await driver.prepare();
  const seen = {
    answering: [] as number[],
    firstOutput: [] as number[],
    exec: [] as number[],
    kill: [] as number[],
    rssMb: [] as number[],
  };
  for (let round = 0; round < count; round += 1) {
    const fromMs = performance.now();
    const vm = await driver.create({});
    seen.answering.push(performance.now() - fromMs);
    await run(vm, { argv: ["echo", "first"] });
    seen.firstOutput.push(performance.now() - fromMs);
    seen.rssMb.push((await vm.stats()).hostRssBytes / 1e6);
    for (let nth = 0; nth < 5; nth += 1) seen.exec.push(await timed(() => run(vm, { argv: ["true"] })));
    seen.kill.push(await timed(() => vm.kill()));
  }
  return Object.fromEntries(Object.entries(seen).map(([name, values]) => [name, Math.round(median(values))]));
}

async function checkpoint(): Promise<Record<string, number>> {
  await using vm = await sharedQemu().create({});
  const make =
    "for d in $(seq 20); do mkdir -p d$d; for f in $(seq 25); do head -c 4000 /dev/zero > d$d/f$f; done; done";
  await run(vm, { argv: ["bash", "-c", make] });
  const { stamp } = await vm.changes("/workspace");
  await run(vm, { argv: ["bash", "-c", "echo changed > d1/f1"] });
  const to = `/tmp/vm-bench-${process.pid}`;
  const delta = await timed(async () => {
    const { changed } = await vm.changes("/workspace", { since: stamp });
    await vm.getTree({ from: "/workspace", to, paths: changed });
  });
  return {
    files: 500,
    changesAndFetchOne: Math.round(delta),
    fetchAll: Math.round(await timed(() => vm.getTree({ from: "/workspace", to }))),
  };
}

const benches: Readonly<Record<string, () => Promise<Record<string, number>>>> = {
  warm: () => starts(sharedQemu(), rounds),
  cold: () => starts(sharedQemu({ warmStart: false }), 3),
  bubblewrap: () => starts(bubblewrapDriver(sharedKernelOptions()), rounds),
  process: () => starts(processDriver(sharedKernelOptions()), rounds),
  checkpoint,
};
const wanted = process.argv.slice(3);

console.log(`load ${loadavg()[0]?.toFixed(1)}, ${availableParallelism()} cpus, medians in ms`);
for (const [name, bench] of Object.entries(benches))
  if (wanted.length === 0 || wanted.includes(name)) console.log(name, await bench());
