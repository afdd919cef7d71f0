/** What a guest on the host's kernel may not ask of that kernel, as a classic BPF program for `bwrap --seccomp`.
 *  C1. Sockets are Unix, IPv4, IPv6 or netlink: a network namespace does not hold AF_VSOCK, AF_ALG and their like.
 *  C2. No new namespaces: they would hand out capabilities inside, and with them most of the kernel's attack surface.
 *  C3. Only this processor's own calling convention; another one would have other numbers for what is refused.
 *  C4. io_uring is refused whole: it opens sockets without the call that C1 looks at. */

type Arch = "x64" | "arm64";

interface Calls {
  readonly audit: number;
  readonly socket: number;
  readonly clone: number;
  readonly clone3: number;
  readonly refused: readonly number[];
}

// prettier-ignore
const CALLS: Readonly<Record<Arch, Calls>> = {
  x64: {
    audit: 0xc000003e, socket: 41, clone: 56, clone3: 435,
    // unshare setns mount umount2 pivot_root keyctl add_key request_key bpf perf_event_open userfaultfd io_uring×3 syslog
    // sched_setaffinity open_by_handle_at open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    refused: [272, 308, 165, 166, 155, 250, 248, 249, 321, 298, 323, 425, 426, 427, 103, 203, 304, 428, 429, 430, 431, 432, 433, 442],
  },
  arm64: {
    audit: 0xc00000b7, socket: 198, clone: 220, clone3: 435,
    refused: [97, 268, 40, 39, 41, 219, 217, 218, 280, 241, 282, 425, 426, 427, 116, 122, 265, 428, 429, 430, 431, 432, 433, 442],
  },
};

const FAMILIES = { unix: 1, inet: 2, inet6: 10, netlink: 16 };
/** CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}. */
const NEW_NAMESPACES = 0x7e020080;
const ERRNO = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 };
/** Offsets in `struct seccomp_data`; arguments are 64 bit, their lower half comes first. */
const FIELD = { call: 0, audit: 4, firstArgument: 16 };
const X32_BIT = 0x40000000;

const OP = { load: 0x20, equal: 0x15, atLeast: 0x35, anyBit: 0x45, answer: 0x06 };
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;

/** One instruction; `then` and `otherwise` count the instructions to jump over. */
type Instruction = readonly [op: number, then: number, otherwise: number, value: number];

export function isFiltered(arch: string): arch is Arch {
  return arch in CALLS;
}

export function seccompProgram(arch: Arch): Buffer {
  const { audit, socket, clone, clone3, refused } = CALLS[arch];
  const refuse = (errno: number): Instruction => [OP.answer, 0, 0, (0x00050000 | errno) >>> 0];
  const allow: Instruction = [OP.answer, 0, 0, ALLOW];
  const families = Object.values(FAMILIES);
  const program: Instruction[] = [
    [OP.load, 0, 0, FIELD.audit],
    [OP.equal, 1, 0, audit],
    [OP.answer, 0, 0, KILL], // C3
    [OP.load, 0, 0, FIELD.call],
    ...(arch === "x64" ? ([[OP.atLeast, 0, 1, X32_BIT], refuse(ERRNO.ENOSYS)] as const) : []), // C3
    [OP.equal, 0, 1, clone3],
    refuse(ERRNO.ENOSYS), // libc then calls clone, whose flags can be read here.
    ...refused.flatMap((call): Instruction[] => [[OP.equal, 0, 1, call], refuse(ERRNO.EPERM)]),
    [OP.equal, 0, families.length + 2, socket], // C1
    [OP.load, 0, 0, FIELD.firstArgument],
    ...families.map((family, at): Instruction => [OP.equal, families.length + 4 - at, 0, family]),
    refuse(ERRNO.EAFNOSUPPORT),
    [OP.equal, 0, 3, clone], // C2
    [OP.load, 0, 0, FIELD.firstArgument],
    [OP.anyBit, 0, 1, NEW_NAMESPACES],
    refuse(ERRNO.EPERM),
    allow,
  ];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [at, [op, then, otherwise, value]] of program.entries()) {
    bytes.writeUInt16LE(op, at * 8);
    bytes.writeUInt8(then, at * 8 + 2);
    bytes.writeUInt8(otherwise, at * 8 + 3);
    bytes.writeUInt32LE(value, at * 8 + 4);
  }
  return bytes;
}
